import type { BeatAnswer, BeatRequest, FillAnswer, FillRequest, LogAnswer, LogRequest } from '../../mesh/sites.ts'
import { type Clock, pause, steady } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { Steps } from '../../registry/steps.ts'
import type { Database } from '../../schema/database.ts'
import { readPage, readSequences } from '../../schema/mirror/fill.ts'
import { headOfLog, logLength, logReaches, oldestAfter, readLog } from '../../schema/mirror/log.ts'
import { acknowledge, beginMirroring, endMirroring } from '../../schema/mirror/primary.ts'
import { MIRRORED, mirroredTable } from '../../schema/mirror/treatment.ts'
import type { Secrets } from '../services.ts'
import { sealFor } from './keys.ts'
import { LOG_LIMIT, LOG_LOOK_MS, LOG_WAIT_MS, REACHED_EVERY_MS } from './limits.ts'
import { peerKeyPurpose, peerRobotKeys } from './robot-keys.ts'
import { type Reseal, resealEntries, resealRow } from './seals.ts'
import type { Standing } from './standing.ts'

export interface SourceOptions {
  readonly db: Database
  readonly standing: Standing
  readonly secrets: Secrets
  readonly clock: Clock
  readonly log: Log
  readonly steps: Steps
}

/** What a primary gives its standby: everything it has, then what is written, and the beats of its lease. */
export class Source {
  readonly #options: SourceOptions
  readonly #waiters = new Set<{ readonly mark: number; readonly done: () => void }>()
  /** What the standby has said that it has, durably; the database knows it a moment later. */
  #reached: number
  /** What of it is written down, and since when. */
  #kept: number
  #keptAt = Number.NEGATIVE_INFINITY

  constructor(options: SourceOptions) {
    this.#options = options
    this.#reached = options.standing.reached
    this.#kept = this.#reached
  }

  get reached(): number {
    return this.#reached
  }

  /** How old the oldest change is that the standby does not have, in milliseconds; 0: it has everything. */
  async behindMs(after = this.#reached): Promise<number> {
    const oldest = await oldestAfter(this.#options.db, after)
    return oldest === undefined ? 0 : Math.max(0, this.#options.clock.now() - oldest)
  }

  /** Some rows of a table. The first question begins the log: what is written from then on comes by that. */
  async fill(request: FillRequest): Promise<FillAnswer> {
    const { db, standing, secrets, steps } = this.#options
    if (request.table === undefined) {
      const unknown = request.robotKey === undefined ? undefined : await this.#unknownRobotKey(request.robotKey)
      const added = unknown === undefined ? [] : [await secrets.seal(unknown, peerKeyPurpose)]
      await standing.change(
        (pair) => ({ ...pair, mirroring: true, guarded: false, sealedPeerKeys: [...pair.sealedPeerKeys, ...added] }),
        (pair) => beginMirroring(db, pair),
      )
      steps('source: log begun')
      this.#reached = standing.reached
      this.#kept = this.#reached
      return { rows: [], head: await headOfLog(db) }
    }
    if (standing.pair?.mirroring !== true) throw new RegistryError('RANGE_INVALID', 'Nothing is logged for this standby: it must begin anew.')
    const table = mirroredTable(request.table)
    if (table === undefined) throw new RegistryError('UNSUPPORTED', `There is no table ${request.table} here: the two sites run different versions.`)
    const page = await readPage(db, table, request.after)
    const rows: string[] = []
    for (const row of page.rows) rows.push(await resealRow(table.name, row, this.#forPeer))
    steps('source: page read')
    const last = page.next === undefined && table === MIRRORED.at(-1)
    return { rows, ...(page.next && { next: page.next }), head: await headOfLog(db), ...(last && { sequences: await readSequences(db) }) }
  }

  /** What was written after what the standby has; waits a moment for something. */
  async log(request: LogRequest, signal: AbortSignal): Promise<LogAnswer> {
    const { db, standing, steps } = this.#options
    const { after } = request
    if (standing.pair?.mirroring !== true || after < this.#reached || !(await logReaches(db, after))) {
      return { hole: true, entries: [], upto: after, head: await headOfLog(db), behindMs: 0, ...this.#terms() }
    }
    // Whoever could take over must be waited for before that is so.
    if (request.whole && standing.pair.guarded === false) {
      await standing.change((pair) => ({ ...pair, guarded: true }))
      steps('source: guarded')
    }
    this.#hear(request)
    await this.#reach(after)
    await this.#written(after, signal)
    const batch = await readLog(db, after)
    if (batch !== undefined) steps('source: batch read')
    const upto = batch?.upto ?? after
    return {
      entries: await resealEntries(batch?.entries ?? [], this.#forPeer),
      upto,
      head: Math.max(upto, await headOfLog(db)),
      behindMs: await this.behindMs(upto),
      ...this.#terms(),
    }
  }

  /** A word of a standby that asks for nothing. */
  async beat(request: BeatRequest): Promise<BeatAnswer> {
    this.#hear(request)
    const { beat, leaseMs } = this.#terms()
    return { head: await headOfLog(this.#options.db), behindMs: await this.behindMs(), beat, leaseMs }
  }

  /** @throws RegistryError UNAVAILABLE when there is no standby that could have what is written to such a project */
  mustMirror(project: string): void {
    const { standing } = this.#options
    if (standing.pair?.mirroring === true) return
    throw new RegistryError(
      'UNAVAILABLE',
      `${project} is synchronous, and ${standing.peer?.name ?? 'the other site'} has yet to rejoin: nothing can be at both sites. Let it rejoin (atoll dr rejoin, there), or take changes at this one alone: atoll dr synchronous ${project} --off`,
    )
  }

  /** Resolves when the standby has everything that is written now. @throws RegistryError UNAVAILABLE when that takes too long */
  async settled(ms: number): Promise<void> {
    const { db, standing, clock } = this.#options
    if (standing.pair?.mirroring !== true) return
    const mark = await headOfLog(db)
    if (mark <= this.#reached) return
    const late = Promise.withResolvers<boolean>()
    const waiter = { mark, done: () => late.resolve(true) }
    this.#waiters.add(waiter)
    const stop = clock.after(ms, () => late.resolve(false))
    try {
      if (mark <= this.#reached || (await late.promise)) return
      throw new RegistryError(
        'UNAVAILABLE',
        'This is stored here, but not yet at the other site, which this project waits for. Push it again: what has arrived is not sent twice.',
        undefined,
        { headers: { 'Retry-After': '5' } },
      )
    } finally {
      stop()
      this.#waiters.delete(waiter)
    }
  }

  /** Gives the log up when it has become too long for a standby that is away: it must be filled anew when it is back. */
  async bound(): Promise<void> {
    const { db, standing, log } = this.#options
    if (standing.role !== 'primary' || standing.pair?.mirroring !== true || (await logLength(db, this.#reached)) <= LOG_LIMIT) return
    log.error(
      { entries: LOG_LIMIT },
      'The standby has been away for so long that nothing is logged for it any more. It is filled anew when it is back.',
    )
    await standing.change(
      (pair) => ({ ...pair, mirroring: false }),
      (pair) => endMirroring(db, pair, { forget: true }),
    )
  }

  async #unknownRobotKey(sealed: string): Promise<string | undefined> {
    const { standing, secrets } = this.#options
    const key = await standing.keys.open(sealed)
    const known = await peerRobotKeys(standing, secrets)
    return known.some((one) => one.toString('base64url') === key) ? undefined : key
  }

  #hear({ beat, stuck }: BeatRequest): void {
    const { standing } = this.#options
    standing.heard()
    standing.contact.stuck = stuck
    if (beat !== undefined) standing.lease.renew(beat)
  }

  #terms(): Pick<LogAnswer, 'beat' | 'leaseMs' | 'away' | 'guarded'> {
    const { lease, pair } = this.#options.standing
    if (pair === undefined) throw new TypeError('This site is not one of two.')
    const { leaseMs, away, guarded } = pair
    return { beat: lease.beat(leaseMs), leaseMs, away, guarded }
  }

  async #reach(after: number): Promise<void> {
    const { db, clock, steps } = this.#options
    this.#reached = Math.max(this.#reached, after)
    for (const waiter of this.#waiters) if (waiter.mark <= this.#reached) waiter.done()
    const reached = this.#reached
    if (reached === this.#kept || steady(clock) - this.#keptAt < REACHED_EVERY_MS) return
    this.#keptAt = steady(clock)
    steps('source: standby heard')
    await acknowledge(db, reached)
    this.#kept = reached
    steps('source: acknowledged')
  }

  /** Resolves when something was written after `after`, or a moment has passed. */
  async #written(after: number, outer: AbortSignal): Promise<void> {
    const { db, clock } = this.#options
    const woken = new AbortController()
    const stop = db.onMirrored(() => woken.abort())
    const signal = AbortSignal.any([outer, woken.signal])
    try {
      for (let waited = 0; waited < LOG_WAIT_MS && (await headOfLog(db)) <= after; waited += LOG_LOOK_MS) {
        if (woken.signal.aborted) return
        await pause(clock, LOG_LOOK_MS, signal).catch(() => outer.throwIfAborted())
      }
    } finally {
      stop()
    }
  }

  readonly #forPeer: Reseal = async (sealed, purpose) => {
    const { secrets, standing, log } = this.#options
    if (standing.peer === undefined) throw new TypeError('This site has no other.')
    let secret: string
    try {
      secret = await secrets.unseal(sealed, purpose)
    } catch (error) {
      // Nobody can open it here either, and everything else must not wait for that.
      log.error({ err: error, purpose }, 'A secret at rest cannot be opened, and comes to the standby as it is.')
      return sealed
    }
    return await sealFor(standing.peer.encryption, secret)
  }
}
