import { type Clock, steady } from '../clock.ts'
import { Attempt } from '../fill/attempt.ts'
import type { Guard, Ticket } from './guard.ts'

/** A question under way, for whoever wants its answer. */
export interface Flight<T> {
  readonly answer: Promise<T>
  /** By the steady clock. */
  readonly startedAt: number
}

export interface FlightsOptions {
  readonly clock: Clock
  readonly guard: Guard
  readonly ms: number
  /** What to throw when it takes longer. */
  readonly late: () => unknown
}

/** One question at a time for each key. It belongs to no caller: it ends by its own deadline. */
export class Flights<T> {
  readonly #options: FlightsOptions
  readonly #flights = new Map<string, Flight<T>>()

  constructor(options: FlightsOptions) {
    this.#options = options
  }

  get(key: string): Flight<T> | undefined {
    return this.#flights.get(key)
  }

  /** Joins the one under way, or begins it, for `ms` at most. */
  run(key: string, ask: (ticket: Ticket, signal: AbortSignal) => Promise<T>, ms = this.#options.ms): Flight<T> {
    const found = this.#flights.get(key)
    if (found) return found
    const { clock, guard, late } = this.#options
    const attempt = new Attempt(clock, new AbortController().signal)
    const answer = guard
      .run(key, (ticket) => attempt.within(ms, late, ask(ticket, attempt.signal)))
      .finally(() => {
        attempt.end(new DOMException('The question is answered.', 'AbortError'))
        if (this.#flights.get(key) === flight) this.#flights.delete(key)
      })
    const flight = { answer, startedAt: steady(clock) }
    this.#flights.set(key, flight)
    return flight
  }

  /** Whoever asks from now on asks anew. */
  leave(matches: (key: string) => boolean): void {
    for (const key of [...this.#flights.keys()]) if (matches(key)) this.#flights.delete(key)
  }
}
