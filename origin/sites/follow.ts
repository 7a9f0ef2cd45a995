import PQueue from 'p-queue'
import { type FillAnswer, type LogAnswer, type LogRequest, SITES, type SiteCard } from '../../mesh/sites.ts'
import type { BlobStore, CreateHasher } from '../../registry/blob-store.ts'
import { type Clock, pause } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import { type Digest, parseDigest } from '../../registry/spec/digests.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { Steps } from '../../registry/steps.ts'
import type { Database } from '../../schema/database.ts'
import { isDatabaseFull } from '../../schema/errors.ts'
import { garbageIndex } from '../../schema/garbage.ts'
import {
  applyLog,
  applyPage,
  applySequences,
  beginFilling,
  oweBlobs,
  owedBlobs,
  parseRow,
  settleOwed,
  unnamedBlobs,
} from '../../schema/mirror/apply.ts'
import type { Filling, SitePair } from '../../schema/mirror/pair.ts'
import { MIRRORED, type MirroredTable } from '../../schema/mirror/treatment.ts'
import type { Secrets } from '../services.ts'
import { askPrimary } from './ask-primary.ts'
import { keepBeating } from './beats.ts'
import { bringBlob } from './blobs.ts'
import { sealFor } from './keys.ts'
import { BLOBS_AT_ONCE, SITE_RETRY_FIRST_MS, SITE_RETRY_LAST_MS, STRAYS_AT_ONCE, STUCK_CHARACTERS } from './limits.ts'
import { Pulse } from './pulse.ts'
import { type Reseal, resealEntries, resealRow } from './seals.ts'
import type { Standing } from './standing.ts'
import type { SiteTalk } from './talk.ts'

export interface FollowOptions {
  readonly db: Database
  readonly standing: Standing
  readonly talk: SiteTalk
  readonly store: BlobStore
  readonly secrets: Secrets
  readonly createHasher: CreateHasher
  readonly clock: Clock
  readonly log: Log
  readonly random: () => number
  readonly steps: Steps
  /** This site's key for robots' secrets, which the peer must know too. */
  readonly robotKey: Buffer
  /** What is remembered of the database is of another one now. */
  readonly forget: () => Promise<void>
}

export const BEGINNING: Filling = { done: 0, after: undefined, wholeAt: undefined }

/** Takes over everything that the primary has, then what it writes, until the signal. Never rejects. */
export async function followPrimary(options: FollowOptions, signal: AbortSignal): Promise<void> {
  const { standing, clock, log, random } = options
  const pulse = new Pulse(standing, clock)
  const ended = new AbortController()
  const beating = keepBeating(options, pulse, AbortSignal.any([signal, ended.signal]))
  let wait = SITE_RETRY_FIRST_MS
  while (!signal.aborted && standing.role === 'standby') {
    const took = standing.contact.tookAt
    const following = new Following(options, pulse, signal)
    try {
      await following.run()
    } catch (error) {
      if (signal.aborted) break
      const problem = sentenceFor(error)
      standing.contact.problem = problem
      if (!following.asking) standing.contact.stuck = problem.slice(0, STUCK_CHARACTERS)
      log.warn({ err: error, reached: standing.reached }, 'The primary cannot be followed now; it is tried again.')
    }
    if (standing.contact.tookAt !== took) wait = SITE_RETRY_FIRST_MS
    await pause(clock, wait * (0.5 + random() / 2), signal).catch(() => undefined)
    wait = Math.min(wait * 2, SITE_RETRY_LAST_MS)
  }
  ended.abort(new Error('This site follows nobody.'))
  await beating
}

function sentenceFor(error: unknown): string {
  if (isDatabaseFull(error)) return 'There is no space left for the database; free some or add more.'
  return error instanceof RegistryError ? error.message : 'Something went wrong here; the log says what.'
}

class Following {
  readonly #options: FollowOptions
  readonly #pulse: Pulse
  readonly #signal: AbortSignal
  /** Whether the primary is being asked; else it is this site that is at work. */
  asking = false

  constructor(options: FollowOptions, pulse: Pulse, signal: AbortSignal) {
    this.#options = options
    this.#pulse = pulse
    this.#signal = signal
  }

  async run(): Promise<void> {
    const { standing } = this.#options
    await this.#dropUnnamed()
    while (!this.#signal.aborted && standing.role === 'standby') {
      const filling = standing.pair?.filling
      if (filling !== undefined && filling.wholeAt === undefined) await this.#fill(filling)
      else await this.#step()
    }
  }

  /** One question about the log, and what its answer brings. */
  async #step(): Promise<void> {
    const { db, standing } = this.#options
    const filling = standing.pair?.filling
    const whole = filling === undefined || standing.reached >= (filling.wholeAt ?? Number.POSITIVE_INFINITY)
    const owesNothing = whole && (await this.#owesNothing())
    const request: LogRequest = { after: standing.reached, whole: owesNothing, ...this.#pulse.word() }
    const answer = await this.#ask<LogAnswer>(SITES.log, request)
    standing.heard()
    if (answer.hole === true) {
      this.#options.log.warn({ reached: standing.reached }, 'The primary no longer has what follows here: everything is taken over anew.')
      // It cannot take over until it is whole again: that is written before the primary is told.
      await standing.change((pair) => ({ ...pair, filling: BEGINNING }))
      return
    }
    const { leaseMs, away, guarded } = answer
    // They hold at the primary already, whatever becomes of what it gave.
    if (standing.pair?.leaseMs !== leaseMs || standing.pair.away !== away) await standing.change((pair) => ({ ...pair, leaseMs, away }))
    this.#pulse.take(answer)
    if (answer.entries.length > 0) await this.#take(answer)
    else if (answer.upto > standing.reached) await applyLog(db, { entries: [], upto: answer.upto })
    if (whole && guarded && filling !== undefined) {
      await standing.change((pair) => ({ ...pair, filling: undefined }))
      this.#options.steps('mirror: whole')
      await this.#options.forget()
    } else await standing.reload()
    Object.assign(standing.contact, { head: answer.head, behindMs: answer.behindMs })
    standing.took()
  }

  /** Begins anew: what is written at the primary from here on is in its log. */
  async #begin(): Promise<void> {
    const { db, standing, robotKey, steps } = this.#options
    const { head } = await this.#ask<FillAnswer>(SITES.fill, { robotKey: await sealFor(this.#peer.encryption, robotKey.toString('base64url')) })
    steps('mirror: log begun there')
    await standing.change(
      (pair) => ({ ...pair, filling: BEGINNING }),
      (pair) => beginFilling(db, pair, head),
    )
    steps('mirror: begun')
  }

  /** Table by table, page by page; where it is, is written with each page. */
  async #fill(begun: Filling): Promise<void> {
    const { db, standing, steps } = this.#options
    if (begun.done === 0 && begun.after === undefined) await this.#begin()
    for (let filling = standing.pair?.filling; filling !== undefined && filling.wholeAt === undefined; filling = standing.pair?.filling) {
      this.#signal.throwIfAborted()
      const { done, after } = filling
      const table = MIRRORED[done]
      if (table === undefined) throw new TypeError('There is no such table.')
      const answer = await this.#ask<FillAnswer>(SITES.fill, { table: table.name, ...(after && { after }) })
      standing.heard()
      steps('mirror: page received')
      const rows: string[] = []
      for (const row of answer.rows) rows.push(await resealRow(table.name, row, this.#forUs))
      if (table.name === 'blobs') {
        await this.#bring(rows.map(digestIn))
        steps('mirror: bytes of a page stored')
      }
      const next: Filling = {
        done: answer.next === undefined ? done + 1 : done,
        after: answer.next,
        wholeAt: done + 1 === MIRRORED.length && answer.next === undefined ? answer.head : undefined,
      }
      if (next.wholeAt !== undefined) await this.#dropStrays()
      if (answer.sequences !== undefined) {
        await applySequences(db, answer.sequences)
        steps('mirror: sequences stored')
      }
      await this.#page(table, rows, next, after === undefined)
      steps('mirror: page stored')
      standing.took()
    }
  }

  async #page(table: MirroredTable, rows: readonly string[], filling: Filling, first: boolean): Promise<void> {
    const write = (pair: SitePair) => applyPage(this.#options.db, table, rows, { ...pair, filling }, first)
    await this.#options.standing.change((pair) => ({ ...pair, filling }), write)
  }

  /** Bytes first, then the rows that make them visible; bytes that no row names any more go after those. */
  async #take({ entries, upto }: LogAnswer): Promise<void> {
    const { db, steps } = this.#options
    steps('mirror: batch received')
    const ours = await resealEntries(entries, this.#forUs)
    await this.#bring(ours.filter((entry) => entry.name === 'blobs' && entry.kind === 'put').map(({ row }) => digestIn(row)))
    steps('mirror: bytes of a batch stored')
    await applyLog(db, { entries: ours, upto })
    steps('mirror: batch stored')
    await this.#dropUnnamed()
  }

  /** Bytes whose rows went, in the last batch or before the process ended. */
  async #dropUnnamed(): Promise<void> {
    const { db, store, steps } = this.#options
    for (;;) {
      const unnamed = await unnamedBlobs(db)
      if (unnamed.length === 0) return
      steps('mirror: rows of bytes gone')
      for (const digest of unnamed) {
        await store.delete(digest)
        steps('mirror: bytes deleted')
      }
      await settleOwed(db, unnamed)
    }
  }

  /** Bytes of before, which no row names any more: a site that comes back has some. What the log still names comes again. */
  async #dropStrays(): Promise<void> {
    const { db, store, steps } = this.#options
    // Of the collector's index this is a question without a grace.
    const { unknown } = garbageIndex(db, 0)
    for (let last: Digest | undefined; ; ) {
      const { items, more } = await store.list({ limit: STRAYS_AT_ONCE, ...(last !== undefined && { last }) })
      for (const digest of await unknown(items)) {
        this.#signal.throwIfAborted()
        await store.delete(digest)
        steps('mirror: stray deleted')
      }
      last = items.at(-1)
      if (!more || last === undefined) return
    }
  }

  /** What the primary deleted before it came here is owed: the log says later that its row is gone, or the bytes come after all. */
  async #bring(digests: readonly Digest[]): Promise<void> {
    const { db } = this.#options
    const missing: Digest[] = []
    await this.#each(unique(digests), async (digest) => {
      if (!(await bringBlob(this.#peer, digest, this.#signal, this.#options))) missing.push(digest)
    })
    await oweBlobs(db, missing)
  }

  async #owesNothing(): Promise<boolean> {
    const { db } = this.#options
    const owed = await owedBlobs(db)
    const arrived: Digest[] = []
    await this.#each(owed, async (digest) => {
      if (await bringBlob(this.#peer, digest, this.#signal, this.#options)) arrived.push(digest)
    })
    await settleOwed(db, arrived)
    return arrived.length === owed.length
  }

  async #each(digests: readonly Digest[], work: (digest: Digest) => Promise<void>): Promise<void> {
    const queue = new PQueue({ concurrency: BLOBS_AT_ONCE })
    const outcomes = await Promise.allSettled(digests.map((digest) => queue.add(() => work(digest))))
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  }

  async #ask<Answer>(path: string, body: unknown): Promise<Answer> {
    this.asking = true
    const answer = await askPrimary<Answer>(this.#options, path, body, { signal: this.#signal })
    this.asking = false
    return answer
  }

  get #peer(): SiteCard {
    const { peer } = this.#options.standing
    if (peer === undefined) throw new TypeError('This site has no other.')
    return peer
  }

  readonly #forUs: Reseal = async (sent, purpose) => {
    const { secrets, standing } = this.#options
    // What its own site could not open comes as it is.
    return sent.split('.').length === 5 && !sent.startsWith('v1.') ? await secrets.seal(await standing.keys.open(sent), purpose) : sent
  }
}

function digestIn(row: string): Digest {
  return parseDigest(String(parseRow(row).digest))
}

function unique<T>(list: readonly T[]): T[] {
  return [...new Set(list)]
}
