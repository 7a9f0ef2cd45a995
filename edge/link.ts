import { errors } from 'jose'
import type { PolicyDocument } from '../mesh/documents.ts'
import { type EdgeReport, MESH, type ReportAnswer } from '../mesh/enrolment.ts'
import type { FeedBatch, FeedEntry } from '../mesh/feed.ts'
import { type DocumentType, verifyDocument } from '../mesh/signing.ts'
import { type Clock, pause, steady } from '../registry/clock.ts'
import type { Log } from '../registry/log.ts'
import type { Fetch } from '../registry/remote/index.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import { EnrolmentRefused, enrolIfRevoked, joinOrigin, keepKeys } from './enrolment.ts'
import { Feed, type FeedListener } from './feed.ts'
import type { Kept } from './kept.ts'
import {
  FEED_RETRY_FIRST_MS,
  FEED_RETRY_LAST_MS,
  ORIGIN_ANSWER_MS,
  ORIGIN_ANSWER_WHILE_AWAY_MS,
  REPORT_EVERY_MS,
  RETRY_AFTER_S,
  WELL_ASKED_EVERY_MS,
} from './limits.ts'
import type { Mesh, MeshStatus } from './mesh.ts'
import { OriginClient } from './origin-client.ts'
import { type Facts, Snapshot } from './snapshot.ts'
import { Trust } from './trust.ts'

export interface LinkOptions {
  readonly originUrl: URL
  readonly fetch: Fetch
  readonly kept: Kept
  readonly clock: Clock
  readonly monotonic: () => number
  readonly random: () => number
  readonly newId: () => string
  readonly log: Log
  /** For how long a disconnected edge trusts what it knows, in milliseconds. */
  readonly grace: number
  /**
   * The one-time token. With a string the origin is asked at the start whether it still knows this edge, and if not, it is enrolled anew; a
   * function costs no such request: it is only asked when nothing is kept.
   */
  readonly enrolmentToken: string | (() => Promise<string>) | undefined
  /** Where clients reach this edge. */
  readonly url: string
  readonly version: string
  /** What else acts on the feed, for instance the caches. */
  readonly listener: FeedListener
  /** Counters for the origin. */
  readonly report: () => Promise<Omit<EdgeReport, 'version' | 'cursor' | 'url' | 'unwell'>>
  /** Hears what other edges have heard of the same upstreams. */
  readonly heard?: (budgets: ReportAnswer['upstreams']) => Promise<void>
  /** Where its administrator says that clients reach it. */
  readonly stated?: string | undefined
  /** Why nobody should be sent here; undefined: all is well. Always well when absent. */
  readonly unwell?: () => Promise<string | undefined>
}

/** The one connection of an edge with its origin: enrolment, feed, documents, reports. */
export class Link implements Mesh {
  readonly facts: Facts
  readonly origin: OriginClient
  readonly #options: LinkOptions
  readonly #trust: Trust
  readonly #feed: Feed
  readonly #snapshot: Snapshot

  private constructor(options: LinkOptions, parts: { origin: OriginClient; trust: Trust; feed: Feed; snapshot: Snapshot }) {
    this.#options = options
    this.origin = parts.origin
    this.#trust = parts.trust
    this.#feed = parts.feed
    this.#snapshot = parts.snapshot
    this.facts = parts.snapshot
  }

  static async open(options: LinkOptions): Promise<Link> {
    const { kept, clock, log, listener } = options
    const origin = new OriginClient({ url: options.originUrl, fetch: options.fetch, clock, newId: options.newId })
    const trust = await Trust.open({ clock, monotonic: options.monotonic, kept, grace: options.grace })
    const away = { feed: undefined as Feed | undefined }
    const snapshot: Snapshot = new Snapshot({
      kept,
      clock,
      log,
      fetch: (kind, name) => fetchDocument(origin, kind, name, trust.connected),
      verify: (jws) => verified<PolicyDocument>(origin, 'atoll-policy+jws', jws),
      cursor: () => away.feed?.cursor ?? 0,
      trust: {
        get connected() {
          return trust.connected
        },
        get revoked() {
          return away.feed?.revoked ?? false
        },
        grace: options.grace,
        age: () => trust.age(),
      },
    })
    const feed = await Feed.open({
      origin,
      kept,
      trust,
      clock,
      log,
      random: options.random,
      newId: options.newId,
      verify: (line) => verified<FeedBatch>(origin, 'atoll-feed+jws', line, { atOnce: true }),
      listener: {
        async apply(entries: readonly FeedEntry[]) {
          const keys = entries.findLast((entry) => entry.kind === 'keys')?.keys
          if (keys !== undefined) await keepKeys({ kept, origin }, keys)
          if (keys !== undefined) snapshot.trustOnly(keys)
          await snapshot.apply(entries)
          await listener.apply(entries)
        },
        async restart(run: number) {
          snapshot.begin(run)
          await listener.restart(run)
        },
      },
    })
    away.feed = feed
    return new Link(options, { origin, trust, feed, snapshot })
  }

  /** Joins the origin, waiting for it as long as the signal allows. @throws EnrolmentRefused */
  async join(signal: AbortSignal): Promise<void> {
    const { kept, enrolmentToken: token, url, version, clock, log } = this.#options
    for (let wait = FEED_RETRY_FIRST_MS; ; wait = Math.min(wait * 2, FEED_RETRY_LAST_MS)) {
      try {
        const { found } = await joinOrigin({ kept, origin: this.origin, token, url, version })
        if (found && typeof token === 'string') await this.#enrolIfRevoked(token)
        const { enrolment } = this.origin.member
        log.info({ edge: enrolment.id, name: enrolment.name, region: enrolment.region }, 'this edge is a member of its origin')
        return
      } catch (error) {
        if (error instanceof EnrolmentRefused || signal.aborted) throw error
        log.warn({ error }, 'the origin cannot be joined yet')
      }
      await pause(clock, wait, signal)
    }
  }

  /** Nobody waits for an origin that is away: what is kept is good for as long as the grace lasts. */
  async #enrolIfRevoked(token: string): Promise<void> {
    const { kept, url, version, log } = this.#options
    try {
      const anew = await enrolIfRevoked({ kept, origin: this.origin, token, url, version }, { timeout: ORIGIN_ANSWER_WHILE_AWAY_MS })
      if (anew === undefined) return
      await this.#feed.startOver()
      log.info({ edge: anew.id, name: anew.name }, 'this edge had been revoked, and was enrolled again')
    } catch (error) {
      if (error instanceof EnrolmentRefused) log.error({ error }, `this edge stays revoked: ${error.message}`)
      else log.warn({ error }, 'the origin does not say whether it still knows this edge, which goes on as who it is')
    }
  }

  /** Follows the feed and reports, until the signal ends it. Call it after `join`. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#feed.follow(signal), this.#reportOnAndOn(signal)])
    await this.#snapshot.idle()
  }

  async settle(): Promise<void> {
    // The feed acts in this very process: there is nothing to wait for.
  }

  status(): MeshStatus {
    const age = this.#trust.age()
    return { state: this.#state(), lag: Number.isFinite(age) ? Math.max(0, Math.round(age)) : null, cursor: this.#feed.cursor, run: this.#feed.run }
  }

  get trusted(): boolean {
    return !this.#feed.revoked && this.#trust.trusted
  }

  /** Takes in a document that came with a token. @throws when the origin did not sign it */
  async offer(jws: string): Promise<void> {
    await this.#snapshot.offer(jws)
  }

  #state(): MeshStatus['state'] {
    if (!this.origin.enrolled) return 'enrolling'
    if (this.#feed.revoked) return 'revoked'
    return this.#trust.connected ? 'connected' : 'disconnected'
  }

  async #reportOnAndOn(signal: AbortSignal): Promise<void> {
    const { clock, version, report, heard, unwell: ailment, stated: url, log } = this.#options
    let told: string | undefined
    let due = steady(clock) + REPORT_EVERY_MS
    while (!signal.aborted) {
      try {
        await pause(clock, ailment === undefined ? REPORT_EVERY_MS : WELL_ASKED_EVERY_MS, signal)
        if (!this.#trust.connected) continue
        const unwell = await ailment?.()
        if (unwell === told && steady(clock) < due) continue
        const json: EdgeReport = { version, cursor: this.#feed.cursor, url, ...(await report()), unwell }
        due = steady(clock) + REPORT_EVERY_MS
        const { status, text } = await this.origin.ask('POST', MESH.report, { json, signal })
        if (status === 200 || status === 204) told = unwell
        else log.debug({ status }, 'the origin did not take a report')
        if (status === 200) await heard?.((JSON.parse(text) as ReportAnswer).upstreams)
      } catch (error) {
        if (!signal.aborted) log.debug({ error }, 'a report did not reach the origin')
      }
    }
  }
}

async function fetchDocument(origin: OriginClient, kind: PolicyDocument['type'], name: string, connected: boolean): Promise<string | undefined> {
  const path = { project: MESH.project(name), principal: MESH.principal(name), mirrors: MESH.mirrors, edges: MESH.edges }[kind]
  const { status, text } = await origin.ask('GET', path, { timeout: connected ? ORIGIN_ANSWER_MS : ORIGIN_ANSWER_WHILE_AWAY_MS })
  if (status === 200) return text
  if (status === 404) return undefined
  throw new RegistryError(
    'UNAVAILABLE',
    'The origin does not tell this edge who may do what now.',
    { status },
    {
      headers: { 'Retry-After': String(RETRY_AFTER_S) },
    },
  )
}

/** With the keys that are known, and if the signer is none of them, with the origin's newest. */
async function verified<T>(origin: OriginClient, type: DocumentType, jws: string, options: { readonly atOnce?: boolean } = {}): Promise<T> {
  try {
    return await verifyDocument<T>(type, jws, origin.jwks)
  } catch (error) {
    if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
    await origin.refreshKeys(options)
    return await verifyDocument<T>(type, jws, origin.jwks)
  }
}
