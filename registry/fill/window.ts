/** The newest bytes of a fill, in the chunks they came in, shared by all consumers that keep up. */
export class Window {
  /** Where the oldest chunk begins. */
  #start: number
  #end: number
  #chunks: Uint8Array[] = []

  constructor(position: number) {
    this.#start = position
    this.#end = position
  }

  get start(): number {
    return this.#start
  }

  get end(): number {
    return this.#end
  }

  get bytes(): number {
    return this.#end - this.#start
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk)
    this.#end += chunk.length
  }

  /**
   * Drops the oldest chunks while more than `target` bytes are held and the store can give them (`readable`), and without
   * regard to the store while more than `limit` are held. The newest chunk stays in any case.
   */
  trim(target: number, limit: number, readable: number): void {
    let drop = 0
    let start = this.#start
    for (const chunk of this.#chunks) {
      if (drop === this.#chunks.length - 1) break
      const held = this.#end - start
      const next = start + chunk.length
      if (held <= target || (next > readable && held <= limit)) break
      start = next
      drop++
    }
    if (drop === 0) return
    this.#chunks = this.#chunks.slice(drop)
    this.#start = start
  }

  clear(): void {
    this.#chunks = []
    this.#start = this.#end
  }

  /** What is held from `position` to the end of its chunk; undefined: it is not here. */
  at(position: number): Uint8Array | undefined {
    if (position < this.#start || position >= this.#end) return undefined
    let end = this.#end
    // Those who keep up want the newest, so the search begins there.
    for (let index = this.#chunks.length - 1; index >= 0; index--) {
      const chunk = this.#chunks[index]
      if (chunk === undefined) return undefined
      const start = end - chunk.length
      if (position >= start) return position === start ? chunk : chunk.subarray(position - start)
      end = start
    }
    return undefined
  }
}
