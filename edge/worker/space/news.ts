import type { Key } from '../../space/ledger.ts'
import { NEWS_KEYS } from './limits.ts'
import type { SpaceNews } from './talk.ts'

export type Happened = Pick<SpaceNews, 'kept' | 'gone' | 'used' | 'ended'>

/** What is not told yet: of each key what was last. Bounded; what there is no room for is found by the next look through the bucket. */
export class Untold {
  readonly #kept = new Map<Key, number>()
  readonly #gone = new Set<Key>()
  readonly #used = new Set<Key>()
  readonly #ended = new Set<string>()

  get any(): boolean {
    return this.#kept.size + this.#gone.size + this.#used.size + this.#ended.size > 0
  }

  keep(key: Key, size: number): void {
    this.#gone.delete(key)
    if (this.#kept.size < NEWS_KEYS) this.#kept.set(key, size)
  }

  use(key: Key): void {
    if (this.#used.size < NEWS_KEYS) this.#used.add(key)
  }

  /** Its size, if that is not told yet. */
  lose(key: Key): number | undefined {
    const size = this.#kept.get(key)
    this.#kept.delete(key)
    this.#used.delete(key)
    if (this.#gone.size < NEWS_KEYS) this.#gone.add(key)
    return size
  }

  end(draft: string): void {
    this.#ended.add(draft)
  }

  take(): Happened {
    const happened = { kept: [...this.#kept], gone: [...this.#gone], used: [...this.#used], ended: [...this.#ended] }
    for (const one of [this.#kept, this.#gone, this.#used, this.#ended]) one.clear()
    return happened
  }

  /** It could not be told. What has happened since goes before. */
  putBack({ kept, gone, used, ended }: Happened): void {
    for (const [key, size] of kept) if (!this.#kept.has(key) && !this.#gone.has(key)) this.keep(key, size)
    for (const key of gone) if (!this.#kept.has(key) && this.#gone.size < NEWS_KEYS) this.#gone.add(key)
    for (const key of used) if (!this.#gone.has(key)) this.use(key)
    for (const draft of ended) this.end(draft)
  }
}
