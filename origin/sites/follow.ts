import PQueue from 'p-queue'
import { type FillAnswer, type LogAnswer, type LogRequest, SITES, type SiteCard } from '../../mesh/sites.ts'
import type { BlobStore, CreateHasher } from '../../registry/blob-store.ts'
import { type Clock, pause } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import { type Digest, parseDigest } from '../../registry/spec/digests.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { Steps } from '../../registry/steps.ts'
import type { Database } from '../../schema/database.ts'
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
import { bringBlob } from './blobs.ts'
import { sealFor } from './keys.ts'
import { BLOBS_AT_ONCE, SITE_RETRY_FIRST_MS, SITE_RETRY_LAST_MS, STRAYS_AT_ONCE } from './limits.ts'
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
  let wait = SITE_RETRY_FIRST_MS
  while (!signal.aborted && standing.role === 'standby') {
    const heard = standing.contact.heardAt
    try {
      await new Following(options, signal).run()
    } catch (error) {
      if (signal.aborted) return
      standing.contact.problem = error instanceof RegistryError ? error.message : 'Something went wrong here; the log says what.'
      log.warn({ err: error, reached: standing.reached }, 'The primary cannot be followed now; it is tried again.')
    }
    if (standing.contact.heardAt !== heard) wait = SITE_RETRY_FIRST_MS
    await pause(clock, wait * (0.5 + random() / 2), signal).catch(() => undefined)
    wait = Math.min(wait * 2, SITE_RETRY_LAST_MS)
  }
}

class Following {
  readonly #options: FollowOptions
  readonly #signal: AbortSignal
  #beat: string | undefined

  constructor(options: FollowOptions, signal: AbortSignal) {
    this.#options = options
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
    // What was promised counts from before the beat goes out.
    if (this.#beat !== undefined) standing.vow.promise(standing.pair?.leaseMs ?? 0)
    const request: LogRequest = {
      after: standing.reached,
      whole: whole && (await this.#owesNothing()),
      ...(this.#beat !== undefined && { beat: this.#beat }),
    }
    const answer = await this.#ask<LogAnswer>(SITES.log, request)
    standing.heard()
    if (answer.hole === true) {
      this.#options.log.warn({ reached: standing.reached }, 'The primary no longer has what follows here: everything is taken over anew.')
      // It cannot take over until it is whole again: that is written before the primary is told.
      await standing.change((pair) => ({ ...pair, filling: BEGINNING }))
      return
    }
    if (answer.entries.length > 0) await this.#take(answer)
    else if (answer.upto > standing.reached) await applyLog(db, { entries: [], upto: answer.upto })
    const { leaseMs, away, guarded } = answer
    const complete = whole && guarded && filling !== undefined
    const { pair } = standing
    if (complete || pair?.leaseMs !== leaseMs || pair.away !== away) {
      await standing.change(({ filling, ...rest }) => ({ ...rest, leaseMs, away, filling: complete ? undefined : filling }))
    } else await standing.reload()
    if (complete) {
      this.#options.steps('mirror: whole')
      await this.#options.forget()
    }
    Object.assign(standing.contact, { head: answer.head, behindMs: answer.behindMs, problem: undefined })
    this.#beat = answer.beat
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
    const { talk, standing } = this.#options
    const answer = await talk.ask<Answer>(this.#peer, path, body, { signal: this.#signal })
    if (answer.epoch < standing.epoch)
      throw new RegistryError('UNAVAILABLE', 'The other site is in an earlier epoch: it is not the primary any more.')
    if (answer.epoch > standing.epoch) await standing.change((pair) => ({ ...pair, epoch: answer.epoch }))
    return answer.body
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
