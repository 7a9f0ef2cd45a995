import { type Clock, inTime, steady } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import type { ObjectStore } from '../../registry/object-store.ts'
import { RegistryError } from '../../registry/spec/errors.ts'

/** How long a store that is well may take to say whether it has an object, in milliseconds. */
const ANSWER_MS = 2_000
/** How long what it said is believed, in milliseconds: load balancers ask every second or two. */
const BELIEVED_MS = 2_000
/** Nothing has this name. */
const NOTHING = 'health'

/** Whether the store of an edge answers. An edge without it gives what is in memory, and little else: others are nearer then. */
export class StoreHealth {
  readonly #store: Pick<ObjectStore, 'stat'>
  readonly #clock: Clock
  readonly #log: Log
  #known: { readonly at: number; readonly answers: Promise<boolean> } | undefined
  #away = false

  constructor(store: Pick<ObjectStore, 'stat'>, { clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#store = store
    this.#clock = clock
    this.#log = log
  }

  /** Whether it did not answer a moment ago. */
  get away(): boolean {
    void this.answers()
    return this.#away
  }

  async answers(): Promise<boolean> {
    const now = steady(this.#clock)
    if (this.#known === undefined || now - this.#known.at >= BELIEVED_MS) this.#known = { at: now, answers: this.#ask() }
    return await this.#known.answers
  }

  async #ask(): Promise<boolean> {
    const asked = this.#store.stat(NOTHING).then(
      () => undefined,
      (error: unknown) => error,
    )
    const found = await inTime(this.#clock, ANSWER_MS, asked)
    const error = found === 'late' ? new RegistryError('UNAVAILABLE', `It did not answer within ${ANSWER_MS} ms.`) : found
    // Once, not with each question.
    if (error !== undefined && !this.#away) this.#log.warn({ err: error }, 'The store of this edge does not answer; nobody should be sent here.')
    this.#away = error !== undefined
    return error === undefined
  }
}
