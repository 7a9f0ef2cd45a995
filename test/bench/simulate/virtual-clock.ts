import type { Clock } from '../../../registry/clock.ts'

interface Timer {
  readonly at: number
  readonly order: number
  readonly run: () => void
  off: boolean
}

/** Moments are this far apart, in milliseconds: what falls between two happens at the later one. */
const MOMENT_MS = 100

/** Time that passes only when everything that could happen now has: a day of a hundred sites in seconds. */
export class VirtualClock implements Clock {
  #now = 0
  #order = 0
  #heap: Timer[] = []
  /** Moments that were lived through. */
  ticks = 0
  fired = 0

  now(): number {
    return this.#now
  }

  after(ms: number, run: () => void): () => void {
    const at = Math.ceil((this.#now + Math.max(0, ms)) / MOMENT_MS) * MOMENT_MS
    const timer: Timer = { at, order: this.#order++, run, off: false }
    push(this.#heap, timer)
    return () => {
      timer.off = true
    }
  }

  /** Lives until nothing is left to happen that `idle` does not call the end. */
  async run(over: () => boolean): Promise<void> {
    await settled()
    while (!over()) {
      const at = this.#next()
      if (at === undefined) return
      this.#now = at
      this.ticks++
      // What falls into one moment happens in the order in which it was asked for, and its consequences together.
      for (let timer = this.#heap[0]; timer !== undefined && timer.at <= at; timer = this.#heap[0]) {
        pop(this.#heap)
        if (timer.off) continue
        this.fired++
        timer.run()
      }
      await settled()
    }
  }

  #next(): number | undefined {
    while (this.#heap[0]?.off) pop(this.#heap)
    return this.#heap[0]?.at
  }
}

/** Every promise that could go on has. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

const before = (one: Timer, other: Timer) => one.at < other.at || (one.at === other.at && one.order < other.order)

function push(heap: Timer[], timer: Timer): void {
  let at = heap.length
  heap.push(timer)
  while (at > 0) {
    const parent = (at - 1) >> 1
    const above = heap[parent] as Timer
    if (!before(timer, above)) break
    heap[at] = above
    at = parent
  }
  heap[at] = timer
}

function pop(heap: Timer[]): void {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  let at = 0
  for (;;) {
    const left = 2 * at + 1
    if (left >= heap.length) break
    const right = left + 1
    const child = right < heap.length && before(heap[right] as Timer, heap[left] as Timer) ? right : left
    if (!before(heap[child] as Timer, last)) break
    heap[at] = heap[child] as Timer
    at = child
  }
  heap[at] = last
}
