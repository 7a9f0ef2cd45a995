import { TestClock } from '../../support/clock.ts'

const SECOND = 1_000
/** What passes while something is waited for: some ten times what passes really. */
const STEP_MS = 10

/** The clocks of an origin and its edge, in step. Between two steps the loop turns, so that what falls due is done before more does. */
export class Time {
  readonly origin = new TestClock()
  readonly edge = new TestClock()

  now(): number {
    return this.edge.now()
  }

  /** Lets time pass until it is settled. */
  async during<T>(work: Promise<T>): Promise<T> {
    let over = false
    const end = () => {
      over = true
    }
    work.then(end, end)
    while (!over) {
      await new Promise((resolve) => setTimeout(resolve, 1))
      this.#advance(STEP_MS)
    }
    return await work
  }

  /** Lets time pass until it holds. */
  async until(what: string, holds: () => boolean | Promise<boolean>, withinMs = 60 * SECOND): Promise<void> {
    const end = this.now() + withinMs
    while (!(await this.during(Promise.resolve(holds())))) {
      if (this.now() > end) throw new Error(`after ${withinMs} ms of virtual time it does not hold yet: ${what}`)
      await new Promise((resolve) => setTimeout(resolve, 1))
      this.#advance(STEP_MS)
    }
  }

  /** Second by second; `heard` resolves when what a second brings is done. */
  async pass(seconds: number, heard: () => Promise<void>): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      this.#advance(SECOND)
      await heard()
    }
  }

  /** Time that passes at once, as on a machine that sleeps. */
  skip(ms: number): void {
    this.#advance(ms)
  }

  #advance(ms: number): void {
    this.origin.advance(ms)
    this.edge.advance(ms)
  }
}
