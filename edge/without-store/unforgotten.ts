import type { FeedEntry } from '../../mesh/feed.ts'
import { type Clock, every } from '../../registry/clock.ts'
import { orAborted } from '../../registry/fill/wait.ts'
import type { Log } from '../../registry/log.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { Kept } from '../kept.ts'

const KEY = 'unforgotten'
/** Repositories that are noted at most. When there are more, the feed waits. */
const NOTED = 1_000
const TRIED_EVERY_MS = 1_000

type Forgotten = Extract<FeedEntry, { readonly kind: 'repository-deleted' }>

export interface UnforgottenOptions {
  /** On another store than that which is away. */
  readonly kept: Kept
  readonly clock: Clock
  readonly log: Log
  readonly forget: (entries: readonly FeedEntry[]) => Promise<void>
  /** Whether the store does not answer now. */
  readonly away: () => boolean
}

/** What a store has yet to forget because it did not answer when the feed named it: whole repositories, however little of them was named. */
export class Unforgotten {
  readonly #options: UnforgottenOptions
  readonly #entries: Map<string, Forgotten>

  private constructor(options: UnforgottenOptions, entries: readonly Forgotten[]) {
    this.#options = options
    this.#entries = new Map(entries.map((entry) => [entry.repository, entry]))
  }

  static async open(options: UnforgottenOptions): Promise<Unforgotten> {
    return new Unforgotten(options, ((await options.kept.get(KEY)) ?? []) as readonly Forgotten[])
  }

  /** Whether the store still has what it should not. */
  get pending(): boolean {
    return this.#entries.size > 0
  }

  /** Durable when it resolves. @throws RegistryError UNAVAILABLE when it is too much */
  async note(entries: readonly FeedEntry[]): Promise<void> {
    const whole = repositoriesOf(entries)
    const more = whole.filter(({ repository }) => !this.#entries.has(repository)).length
    if (this.#entries.size + more > NOTED) throw new RegistryError('UNAVAILABLE', 'The store of this edge has been away for too many changes.')
    for (const entry of whole) this.#entries.set(entry.repository, entry)
    await this.#keep()
  }

  /** Tries on and on until the store has forgotten it all, for as long as the signal allows. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, away, log } = this.#options
    await every(clock, TRIED_EVERY_MS, signal, async () => {
      try {
        if (this.pending && !away()) await orAborted(this.#settle(), signal)
      } catch (error) {
        if (!signal.aborted) log.debug({ error }, 'the store has yet to forget what changed while it was away')
      }
    })
  }

  async #settle(): Promise<void> {
    for (const entry of [...this.#entries.values()]) {
      await this.#options.forget([entry])
      // It may have been named again meanwhile.
      if (this.#entries.get(entry.repository) === entry) this.#entries.delete(entry.repository)
    }
    await this.#keep()
  }

  async #keep(): Promise<void> {
    await this.#options.kept.set(KEY, [...this.#entries.values()])
  }
}

/** One entry for each repository that is named. */
export function repositoriesOf(entries: readonly FeedEntry[]): readonly Forgotten[] {
  const named = entries.flatMap((entry): Forgotten[] =>
    'repository' in entry ? [{ kind: 'repository-deleted', seq: entry.seq, repository: entry.repository }] : [],
  )
  return [...new Map(named.map((entry) => [entry.repository, entry])).values()]
}
