import type { PullThroughCounters } from './counters.ts'

/** One request, as far as it is counted: `found` comes when it got what it wanted, `asked` before, if the source is asked for its sake. */
export interface Counted {
  asked(): void
  /** `bytes`: how many of them the store gives. */
  found(bytes?: number): void
}

/** Counts what a client asks for once, as what it was for the client: a hit, or a miss as soon as the source has to be asked. */
export function countedAs(kind: 'manifest' | 'tag' | 'blob', counters: PullThroughCounters): Counted {
  let missed = false
  return {
    asked() {
      if (!missed) counters[`${kind}Misses`]++
      missed = true
    },
    found(bytes = 0) {
      if (!missed) counters[`${kind}Hits`]++
      counters.bytesHit += bytes
    },
  }
}

/** What nobody has asked for yet is no hit and no miss. */
export const UNCOUNTED: Counted = { asked: () => {}, found: () => {} }
