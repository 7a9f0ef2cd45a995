import { type Clock, pause, steady } from '../../registry/clock.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { ATTEMPTS, BACKOFF_LIMIT_MS, BACKOFF_MS, BATCHES, DELETIONS_MS, PAGE } from './limits.ts'

export interface DeletionsOptions {
  /** Asks the store to delete so many keys, PAGE at most; resolves with the codes of those that it did not delete. */
  readonly send: (keys: readonly string[]) => Promise<ReadonlyMap<string, string>>
  readonly clock: Clock
  readonly random: () => number
  readonly signal?: AbortSignal | undefined
}

interface Wanted {
  readonly key: string
  /** When it is given up, by a clock that nobody sets. */
  readonly until: number
  tries: number
  done(): void
  failed(error: unknown): void
}

/** What the store would do another time. */
const FOR_NOW = new Set([
  'SlowDown',
  'InternalError',
  'ServiceUnavailable',
  'RequestTimeout',
  'OperationAborted',
  'Throttling',
  'ThrottlingException',
])

/**
 * Deletes objects by the batch, whoever wants them gone: what is wanted while batches are under way goes with the next one. A key that the store
 * did not delete for now is asked for again after a pause that doubles, and holds back the others meanwhile; each caller learns of his own keys only.
 */
export class Deletions {
  readonly #options: DeletionsOptions
  readonly #waiting: Wanted[] = []
  #running = 0

  constructor(options: DeletionsOptions) {
    this.#options = options
  }

  /** @throws RegistryError UNAVAILABLE when one of the keys could not be deleted, after all the others were */
  async delete(keys: readonly string[]): Promise<void> {
    const until = steady(this.#options.clock) + DELETIONS_MS
    const each = keys.map(
      (key) => new Promise<void>((resolve, reject) => this.#waiting.push({ key, until, tries: 0, done: resolve, failed: reject })),
    )
    this.#begin()
    const failure = (await Promise.allSettled(each)).find((outcome) => outcome.status === 'rejected')
    if (failure !== undefined) throw failure.reason
  }

  #begin(): void {
    while (this.#running < BATCHES && this.#waiting.length > 0) {
      this.#running++
      this.#run(this.#waiting.splice(0, PAGE)).finally(() => {
        this.#running--
        this.#begin()
      })
    }
  }

  async #run(taken: readonly Wanted[]): Promise<void> {
    const { send, clock, random, signal } = this.#options
    // Whoever waits for it may have given up what gives him the right to delete it.
    const [batch, late] = [taken.filter(({ until }) => steady(clock) <= until), taken.filter(({ until }) => steady(clock) > until)]
    for (const wanted of late) wanted.failed(notDeleted(wanted.key, 'not in time'))
    if (batch.length === 0) return
    try {
      const failures = await send(batch.map(({ key }) => key))
      const again: Wanted[] = []
      for (const wanted of batch) {
        // Of an error that names no key nobody knows whom it is about.
        const code = failures.get(wanted.key) ?? failures.get('')
        wanted.tries++
        if (code === undefined || code === 'NoSuchKey') wanted.done()
        else if (FOR_NOW.has(code) && wanted.tries < ATTEMPTS) again.push(wanted)
        else wanted.failed(notDeleted(wanted.key, code))
      }
      if (again.length === 0) return
      const tries = Math.max(...again.map((wanted) => wanted.tries))
      await pause(clock, random() * Math.min(BACKOFF_LIMIT_MS, BACKOFF_MS * 2 ** (tries - 1)), signal)
      this.#waiting.unshift(...again)
    } catch (error) {
      for (const wanted of batch) wanted.failed(error)
    }
  }
}

function notDeleted(key: string, code: string): RegistryError {
  return new RegistryError('UNAVAILABLE', 'The object store could not delete everything; try again.', undefined, {
    cause: new Error(`S3 DeleteObjects: ${key}: ${code}`),
  })
}
