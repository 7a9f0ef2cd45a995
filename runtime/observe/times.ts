import type { RouteClass } from './route-class.ts'

/** Upper borders, in seconds. */
export const BORDERS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const

export interface Timed {
  readonly route: RouteClass
  readonly status: number
  count: number
  seconds: number
  /** How many were within each border and not within the one before. */
  readonly buckets: number[]
}

/** How many answers there were, and how long each took to its head. An observation costs a look into a map and two additions. */
export class AnswerTimes {
  readonly #timed = new Map<string, Map<number, Timed>>()
  #underWay = 0

  /** Requests whose answer has no head yet. */
  get underWay(): number {
    return this.#underWay
  }

  begin(): void {
    this.#underWay++
  }

  end(route: RouteClass, status: number, seconds: number): void {
    this.#underWay--
    const timed = this.#of(route, status)
    timed.count++
    timed.seconds += seconds
    let at = 0
    while (at < BORDERS.length && seconds > (BORDERS[at] ?? 0)) at++
    if (at < BORDERS.length) timed.buckets[at] = (timed.buckets[at] ?? 0) + 1
  }

  *all(): Generator<Timed> {
    for (const byStatus of this.#timed.values()) yield* byStatus.values()
  }

  #of(route: RouteClass, status: number): Timed {
    let byStatus = this.#timed.get(route)
    if (byStatus === undefined) {
      byStatus = new Map()
      this.#timed.set(route, byStatus)
    }
    let timed = byStatus.get(status)
    if (timed === undefined) {
      timed = { route, status, count: 0, seconds: 0, buckets: BORDERS.map(() => 0) }
      byStatus.set(status, timed)
    }
    return timed
  }
}
