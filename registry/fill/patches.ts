import type { BlobStore } from '../blob-store.ts'
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { Digest } from '../spec/digests.ts'
import type { ByteRange } from '../spec/ranges.ts'
import type { FillCounters, FillSource } from './fills.ts'
import { Keeper } from './keeper.ts'
import type { FillLimits } from './limits.ts'
import type { Parts } from './parts.ts'
import { Patch, type PatchOptions } from './patch.ts'

export interface PatchesOptions {
  readonly blobs: BlobStore
  /** Of the fill's draft: those of patches have it as their beginning. */
  readonly id: string
  readonly digest: Digest
  readonly clock: Clock
  readonly log: Log
  readonly limits: FillLimits
  readonly counters: FillCounters
  readonly parts: Parts
  readonly windowBytes: () => number
  /** Turns of all fills together; each is given back by what it returns. */
  readonly tryTake: () => (() => void) | undefined
  /** Told when there may be room for one more. */
  readonly onFreed: () => void
}

/** What has come of a blob ahead of its fill: parts that do not overlap, each asked of the source once. */
export class Patches {
  readonly #options: PatchesOptions
  #patches: Patch[] = []
  #running = 0
  #closed = false
  #size: number | undefined

  constructor(options: PatchesOptions) {
    this.#options = options
  }

  /** The blob's size, once the source has told it to one of these. */
  get size(): number | undefined {
    return this.#size
  }

  get bytesHeld(): number {
    return this.#patches.reduce((bytes, patch) => bytes + patch.bytesHeld, 0)
  }

  /** The one that has this byte, or will have it. */
  at(position: number): Patch | undefined {
    return this.#closed ? undefined : this.#patches.find((patch) => patch.has(position))
  }

  /** Where the next one after `position` begins. `worth`: of those that have so many bytes at least. */
  next(position: number, worth: number): number {
    let next = Number.POSITIVE_INFINITY
    if (this.#closed) return next
    for (const { start, end, kept } of this.#patches) if (kept && start >= position && end - start >= worth) next = Math.min(next, start)
    return next
  }

  /** Asks the source for what begins at `offset`: to `end`, to what is there already, or to `limit`, which is before the last piece. undefined: not now. */
  begin(source: FillSource, offset: number, end: number, limit: number): Patch | undefined {
    const { limits, parts, tryTake, onFreed } = this.#options
    if (this.#closed || !parts.usable || this.#running >= limits.rangesAtOnce || this.#patches.length >= limits.rangesKept) return undefined
    const giveBack = tryTake()
    if (giveBack === undefined) return undefined
    const until = Math.min(Math.max(end, offset + limits.rangeBytes), limit, this.next(offset, 0))
    const patch = Patch.begin(source, this.#partOf({ offset, length: until - offset }))
    this.#patches.push(patch)
    this.#running++
    void patch.ended.then(() => {
      this.#running--
      if (patch.end === patch.start && !this.#closed) void this.drop(patch)
      giveBack()
      onFreed()
    })
    return patch
  }

  /** Takes up what an earlier fill left. */
  async takeUp(source: string, size: number): Promise<void> {
    const { blobs, id, limits } = this.#options
    const { items } = await blobs.drafts({ limit: limits.rangesKept, last: `${id}-` })
    for (const found of items.filter((item) => item.startsWith(`${id}-`))) {
      const offset = Number.parseInt(found.slice(id.length + 1), 16)
      const length = (await blobs.draft(found).size()) ?? 0
      if (length === 0 || offset + length > size || this.#patches.some(({ start, end }) => start < offset + length && offset < end)) continue
      this.#patches.push(await Patch.left(source, this.#partOf({ offset, length }), size))
    }
  }

  /** Drops those that the fill has passed over: what they had can be had from it. */
  passed(position: number): void {
    if (this.#patches.length === 0) return
    for (const patch of this.#patches) if (patch.end <= position) void this.drop(patch)
  }

  async drop(patch: Patch): Promise<void> {
    this.#patches = this.#patches.filter((other) => other !== patch)
    await patch.discard()
  }

  /** Drops them all, and what they told. */
  async discard(): Promise<void> {
    this.#size = undefined
    await Promise.all(this.#patches.map((patch) => this.drop(patch)))
  }

  /** Ends them all. What has come stays for the next fill. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(this.#patches.map((patch) => patch.close()))
  }

  #partOf(range: ByteRange): PatchOptions {
    const { blobs, id, digest, ...common } = this.#options
    const draft = `${id}-${range.offset.toString(16).padStart(16, '0')}`
    const onSize = (size: number) => {
      this.#size = size
    }
    return { ...common, range, keeper: new Keeper({ blobs, id: draft, digest, log: common.log, base: range.offset }), onSize }
  }
}
