import { MESH } from '../../mesh/enrolment.ts'
import { type PullBatch, type Pulled, type Pulls, PullTally } from '../../mesh/pulls.ts'
import { type Clock, every } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import type { Kept } from '../kept.ts'
import { SPOOL_BATCH_PULLS, SPOOL_BATCHES, SPOOL_EVERY_MS } from '../limits.ts'
import type { MeshStatus } from '../mesh.ts'
import type { OriginClient } from '../origin-client.ts'

export interface SpoolOptions {
  readonly kept: Kept
  readonly mesh: { status(): Pick<MeshStatus, 'state'>; readonly origin: Pick<OriginClient, 'now' | 'ask'> }
  readonly clock: Clock
  readonly newId: () => string
  readonly log: Log
}

/**
 * What this edge has served, on its way to the origin: written down within a second, sent while the origin is there, kept while it is
 * away, and taken by it once. While the origin is away, pulls alike are added up in the newest batch, so that a quiet day costs little.
 * When there is no more room, the newest pulls are only counted, and the origin is told how many.
 */
export class Spool {
  readonly #options: SpoolOptions
  readonly #tally = new PullTally(SPOOL_BATCH_PULLS)
  #id = ''
  /** Numbers of the batches that are kept. */
  #oldest = 1
  #next = 1
  /** The newest batch, while it has not been sent: pulls are added to it. */
  #open: Open | undefined
  /** Pulls that there was no room for since the newest batch was begun. */
  #lost = 0
  #writing: Promise<void> = Promise.resolve()

  private constructor(options: SpoolOptions) {
    this.#options = options
  }

  /** Finds what an earlier run has left. */
  static async open(options: SpoolOptions): Promise<Spool> {
    const { kept, newId } = options
    const spool = new Spool(options)
    const numbers: number[] = []
    for await (const key of kept.keys(BATCHES)) numbers.push(Number(key.slice(BATCHES.length)))
    const state = (await kept.get(STATE)) as State | undefined
    spool.#id = state?.id ?? newId()
    if (state === undefined) await kept.set(STATE, { id: spool.#id, sent: 0 } satisfies State)
    spool.#oldest = numbers[0] ?? (state?.sent ?? 0) + 1
    spool.#next = (numbers.at(-1) ?? spool.#oldest - 1) + 1
    return spool
  }

  /** Batches that the origin has not taken yet. */
  get waiting(): number {
    return this.#next - this.#oldest
  }

  note(pulled: Pulled): void {
    this.#tally.note(pulled, this.#options.mesh.origin.now())
  }

  /** Pulls that were added up elsewhere, and how many more there was no room for there. */
  add(pulls: readonly Pulls[], lost = 0): void {
    for (const some of pulls) this.#tally.add(some)
    this.#lost += lost
  }

  /** Writes and sends until the signal ends it; what is left then is written down. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    await every(this.#options.clock, SPOOL_EVERY_MS, signal, () => this.#writeAndSend(signal))
    // What was noted while the last of it was being written.
    await this.#writeAndSend(signal)
  }

  async #writeAndSend(signal: AbortSignal): Promise<void> {
    try {
      await this.write()
      if (!signal.aborted && this.#options.mesh.status().state === 'connected') await this.send(signal)
    } catch (error) {
      this.#options.log.warn({ error, batches: this.waiting }, 'What was served could not be told to the origin now; it is told later.')
    }
  }

  /** What was noted before it is durable when it resolves. One after another: who writes meanwhile would add to a batch that is being closed. */
  async write(): Promise<void> {
    const before = this.#writing
    const written = before.then(() => this.#write())
    // Whoever waits for it hears of its failure; the next one only wants to know that it is over.
    this.#writing = written.catch(() => undefined)
    await written
  }

  async #write(): Promise<void> {
    if (this.#tally.size === 0 && this.#tally.lost === 0) return
    const { pulls, lost } = this.#tally.take()
    this.#lost += lost
    for (const some of pulls) {
      if (this.#open?.pulls.full) {
        await this.#save(this.#open)
        this.#open = undefined
      }
      if (this.#open === undefined && this.waiting < SPOOL_BATCHES) this.#begin()
      if (this.#open === undefined) this.#lost += some.count
      else this.#open.pulls.add(some)
    }
    if (this.#open !== undefined) await this.#save(this.#open)
  }

  /** Sends all that waits, oldest first. @throws what the origin client throws when the origin is away */
  async send(signal?: AbortSignal): Promise<void> {
    const { kept, mesh, log } = this.#options
    while (this.#oldest < this.#next) {
      const number = this.#oldest
      // From here on nothing is added to it: the origin may have taken it though we do not hear of it.
      if (this.#open?.number === number) this.#open = undefined
      const batch = await kept.get(keyOf(number))
      if (batch !== undefined) {
        const { status } = await mesh.origin.ask('POST', MESH.pulls, { json: batch, ...(signal && { signal }) })
        if (status === 400 || status === 413) {
          log.error({ status, batch: number }, 'The origin will never take this batch of pulls; it is dropped.')
        } else if (status !== 204) {
          log.debug({ status }, 'the origin does not take pulls now')
          return
        }
      }
      await kept.set(STATE, { id: this.#id, sent: number } satisfies State)
      await kept.delete(keyOf(number))
      this.#oldest++
    }
  }

  #begin(): void {
    this.#open = { number: this.#next++, lost: this.#lost, pulls: new PullTally(SPOOL_BATCH_PULLS) }
    this.#lost = 0
  }

  async #save({ number, lost, pulls: { pulls } }: Open): Promise<void> {
    await this.#options.kept.set(keyOf(number), { spool: this.#id, number, pulls, lost } satisfies PullBatch)
  }
}

interface Open {
  readonly number: number
  readonly lost: number
  readonly pulls: PullTally
}

interface State {
  readonly id: string
  /** The last batch that the origin has taken. */
  readonly sent: number
}

const STATE = 'spool/state'
const BATCHES = 'spool/batches/'

/** Keys sort as their numbers do. */
function keyOf(number: number): string {
  return BATCHES + String(number).padStart(15, '0')
}
