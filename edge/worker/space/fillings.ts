import { z } from 'zod'
import type { ObjectStorage } from '../env.ts'
import { READERS_MOST, SIGN_FOR_MS } from './limits.ts'

const PREFIX = 'filling/'
const schema = z.object({ size: z.number(), written: z.number(), until: z.number() })
type Filling = z.infer<typeof schema>

/** Room that was promised to drafts, for as long as those who write them say so. */
export class Fillings {
  readonly #storage: ObjectStorage
  readonly #fillings = new Map<string, Filling>()
  #promised = 0

  private constructor(storage: ObjectStorage) {
    this.#storage = storage
  }

  static async open(storage: ObjectStorage): Promise<Fillings> {
    const fillings = new Fillings(storage)
    for (const [name, value] of await storage.list({ prefix: PREFIX, limit: READERS_MOST })) {
      const filling = schema.safeParse(value)
      if (filling.success) fillings.#hold(name.slice(PREFIX.length), filling.data)
    }
    return fillings
  }

  /** Bytes promised in all. */
  get promised(): number {
    return this.#promised
  }

  get nextEnd(): number | undefined {
    let next: number | undefined
    for (const { until } of this.#fillings.values()) next = Math.min(next ?? until, until)
    return next
  }

  has(draft: string): boolean {
    return this.#fillings.has(draft)
  }

  async begin(draft: string, size: number, written: number, now: number): Promise<void> {
    await this.#keep(draft, { size, written, until: now + SIGN_FOR_MS })
  }

  async grow(draft: string, bytes: number, now: number): Promise<void> {
    const { size = 0, written = 0 } = this.#fillings.get(draft) ?? {}
    await this.#keep(draft, { size: size + bytes, written, until: now + SIGN_FOR_MS })
  }

  /** It is so far. Nothing happens if it has no promise. */
  async says(draft: string, written: number, now: number): Promise<void> {
    const filling = this.#fillings.get(draft)
    if (filling !== undefined) await this.#keep(draft, { ...filling, written, until: now + SIGN_FOR_MS })
  }

  async end(draft: string): Promise<void> {
    const filling = this.#fillings.get(draft)
    if (filling === undefined) return
    this.#fillings.delete(draft)
    this.#promised -= filling.size
    await this.#storage.delete(PREFIX + draft)
  }

  /** Those whose writers have not been heard of. */
  lost(now: number): string[] {
    return [...this.#fillings].filter(([, { until }]) => until <= now).map(([draft]) => draft)
  }

  async #keep(draft: string, filling: Filling): Promise<void> {
    this.#hold(draft, filling)
    await this.#storage.put(PREFIX + draft, filling)
  }

  #hold(draft: string, filling: Filling): void {
    this.#promised += filling.size - (this.#fillings.get(draft)?.size ?? 0)
    this.#fillings.set(draft, filling)
  }
}
