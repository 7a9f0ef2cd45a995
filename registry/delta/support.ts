import PQueue from 'p-queue'
import { RegistryError } from '../spec/errors.ts'
import type { CreateChunker } from './chunks.ts'
import type { Compression } from './compression.ts'
import { LISTS_AT_ONCE, LISTS_RETRY_AFTER, LISTS_WAITING } from './limits.ts'

/** What a registry needs to answer other sites that move deltas. */
export interface DeltaSupport {
  readonly createChunker: CreateChunker
  readonly compression: Compression
  readonly turns: ListTurns
}

/**
 * Who may make a list of chunks now: it takes a core for as long as the blob takes to be read, and that is others' too. In the order in which
 * they are asked for, so that the first blob is on its way while the others are still being compared.
 */
export class ListTurns {
  readonly #queue = new PQueue({ concurrency: LISTS_AT_ONCE })
  readonly #waiting: number

  /** `waiting`: how many may wait; whose number is bounded otherwise may all. */
  constructor(waiting = LISTS_WAITING) {
    this.#waiting = waiting
  }

  /** Resolves with what ends the turn. @throws RegistryError UNAVAILABLE when too many wait */
  async begin(): Promise<() => void> {
    if (this.#queue.size >= this.#waiting) {
      const headers = { 'Retry-After': String(LISTS_RETRY_AFTER) }
      throw new RegistryError('UNAVAILABLE', 'Too many blobs are being compared already; try again shortly, or send this one whole.', undefined, {
        headers,
      })
    }
    const turn = Promise.withResolvers<void>()
    await new Promise<void>((begin) => {
      void this.#queue.add(() => {
        begin()
        return turn.promise
      })
    })
    return turn.resolve
  }
}
