// How a cache of what is in the database stays right while other processes write to it too.

/** The feed of changes, as far as a cache needs it. */
export interface ChangeSource {
  /** The sequence number of the last change; 0: there is none. */
  head(): Promise<number>
  /** Changes after `after`, in order, at most `limit`. */
  since(after: number, limit: number): Promise<readonly SeenChange[]>
}

export interface SeenChange {
  readonly seq: number
  readonly kind: string
  readonly subject: string
}

export interface CurrentChangesOptions {
  readonly source: ChangeSource
  /**
   * Runs something a moment later, after the requests that have arrived already (Node's setImmediate): all of them then
   * share one look at the feed. Without it each looks for itself.
   */
  readonly soon: (run: () => void) => void
  /** What changed since the last look, in order; 'anything' when that is more than is worth reading. */
  readonly onChanges: (changes: readonly SeenChange[] | 'anything') => void
}

/** Above so many changes at once it is cheaper to forget everything. */
const READ_LIMIT = 1000

/**
 * Looks at the feed's head before each use of a cache: a change that was committed before the question was asked is known
 * before it is answered, whichever process made it. One look serves all who wait for it.
 */
export class CurrentChanges {
  readonly #options: CurrentChangesOptions
  #seen: number | undefined
  /** A look that has not begun: whoever comes now may share it. */
  #next: Promise<number> | undefined
  #running: Promise<unknown> = Promise.resolve()

  constructor(options: CurrentChangesOptions) {
    this.#options = options
  }

  /** Resolves with the number of the last change that `onChanges` has been told of. @throws what the source throws */
  current(): Promise<number> {
    this.#next ??= new Promise((resolve, reject) => {
      this.#options.soon(() => {
        // One after the other, so that changes are told in order.
        this.#running = this.#running.then(() => {
          this.#next = undefined
          return this.#look().then(resolve, reject)
        })
      })
    })
    return this.#next
  }

  /** The feed has become another, whose numbers say nothing about what was seen. */
  restart(): void {
    this.#seen = undefined
  }

  /** Whether nothing was told of since `current` gave this number. */
  unchangedSince(seen: number): boolean {
    return this.#seen === seen
  }

  async #look(): Promise<number> {
    const { source, onChanges } = this.#options
    const head = await source.head()
    if (this.#seen === undefined || head < this.#seen) {
      onChanges('anything')
      this.#seen = head
    } else if (head > this.#seen) {
      const changes = await source.since(this.#seen, READ_LIMIT)
      onChanges(changes.length < READ_LIMIT ? changes : 'anything')
      this.#seen = Math.max(head, changes.at(-1)?.seq ?? head)
    }
    return this.#seen
  }
}
