import { dropOldest } from '../oldest.ts'
import type { Page, Slice } from '../spec/pages.ts'
import type { RemoteLimits } from './limits.ts'

/** One page as a vendor gives it. `next`: what its own API wants for the page after it. */
export interface VendorPage<T> {
  readonly items: readonly T[]
  readonly next?: string | undefined
}

/** Places in lists that are remembered at once. */
const PLACES_KEPT = 64

/**
 * A list that a vendor pages by numbers or tokens of its own and in its own order, for callers that go on after the last entry they got. A place
 * that is no longer known is looked for from the beginning.
 */
export class CursorList<T extends string> {
  readonly #fetch: (cursor: string | undefined, limit: number, signal: AbortSignal | undefined) => Promise<VendorPage<T>>
  readonly #limits: Pick<RemoteLimits, 'listPages'>
  readonly #places = new Map<string, string>()

  constructor(
    fetch: (cursor: string | undefined, limit: number, signal: AbortSignal | undefined) => Promise<VendorPage<T>>,
    limits: Pick<RemoteLimits, 'listPages'>,
  ) {
    this.#fetch = fetch
    this.#limits = limits
  }

  async page({ limit, last }: Page, signal?: AbortSignal): Promise<Slice<T>> {
    const known = last === undefined ? undefined : this.#places.get(last)
    let cursor = known
    let looking = last !== undefined && known === undefined
    for (let pages = 1; ; pages++) {
      const { items: found, next } = await this.#fetch(cursor, limit, signal)
      const at = looking ? found.indexOf(last as T) : -1
      const items = looking ? (at < 0 ? [] : found.slice(at + 1)) : found
      if (at >= 0) looking = false
      const end = items.at(-1)
      if (end !== undefined && next !== undefined) this.#remember(end, next)
      if (items.length > 0 || next === undefined || pages >= this.#limits.listPages) return { items, more: next !== undefined }
      cursor = next
    }
  }

  #remember(last: string, cursor: string): void {
    this.#places.delete(last)
    this.#places.set(last, cursor)
    dropOldest(this.#places, PLACES_KEPT)
  }
}
