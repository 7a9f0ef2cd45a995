import { type Clock, steady } from '../clock.ts'
import type { FillSource } from './fills.ts'
import type { FillLimits } from './limits.ts'
import type { Patch } from './patch.ts'
import type { Patches } from './patches.ts'

export interface ParallelOptions {
  readonly source: FillSource
  readonly patches: Patches
  readonly clock: Clock
  readonly limits: FillLimits
}

/**
 * More than one connection for a large blob whose source gives little by one: parts ahead of the fill are asked for as if somebody wanted them.
 * Nothing of it is begun before the first connection has shown how fast it is, so whoever waits for the first byte does not notice.
 */
export class Parallel {
  readonly #options: ParallelOptions
  readonly #running = new Set<Patch>()
  #begun: { readonly position: number; readonly at: number } | undefined
  #slow: boolean | undefined
  #end = 0

  constructor(options: ParallelOptions) {
    this.#options = options
  }

  /** To be called as bytes come. */
  look(position: number, size: number): void {
    const { clock, limits } = this.#options
    if (limits.connections <= 1 || size < limits.largeBytes || this.#slow === false) return
    if (this.#slow === undefined) {
      this.#begun ??= { position, at: steady(clock) }
      const bytes = position - this.#begun.position
      if (bytes < limits.judgeBytes) return
      const rate = (bytes * 1000) / (steady(clock) - this.#begun.at)
      this.#slow = rate > 0 && rate < limits.slowBytesPerSecond
    }
    while (this.#slow && this.#running.size < this.#most(position) && this.#beginNext(position, size));
  }

  /** While the fill passes over what came ahead, its own connection is free. */
  #most(position: number): number {
    const { limits, patches } = this.#options
    return patches.at(position) === undefined ? limits.connections - 1 : limits.connections
  }

  #beginNext(position: number, size: number): boolean {
    const { patches, source, limits } = this.#options
    // Smaller towards the end, so that all come to it together.
    const part = Math.min(limits.partBytes, Math.max(limits.leastPartBytes, (size - position) / (2 * limits.connections)))
    const length = Math.ceil(part / limits.leastPartBytes) * limits.leastPartBytes
    let start = Math.max(position + length, this.#end)
    for (let there = patches.at(start); there !== undefined; there = patches.at(start)) start = there.end
    const limit = size - limits.tailBytes
    if (start + limits.leastPartBytes > limit || start > position + limits.partsAheadBytes) return false
    const patch = patches.begin(source, start, start + length, limit)
    if (patch === undefined) return false
    this.#end = patch.end
    this.#running.add(patch)
    const letGo = patch.hold()
    void patch.ended.then(() => {
      letGo()
      this.#running.delete(patch)
    })
    return true
  }
}
