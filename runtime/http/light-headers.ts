/**
 * Headers as one flat list of names and values, which is the form that Node reads and writes them in. To look one up is all that most
 * requests and answers need, and costs a fifth of what it takes to make the platform's Headers; whoever wants more gets those.
 */
export class LightHeaders implements Headers {
  #list: string[]
  #platform: Headers | undefined

  /** `list`: a name, its value, the next name, and so on. It is changed by what changes the headers. */
  constructor(list: string[]) {
    this.#list = list
  }

  static of(values: Readonly<Record<string, string>>): LightHeaders {
    const list: string[] = []
    for (const name in values) list.push(name, values[name] ?? '')
    return new LightHeaders(list)
  }

  /** As the constructor takes it, with the changes made since. */
  list(): readonly string[] {
    return this.#platform === undefined ? this.#list : [...this.#platform].flat()
  }

  get(name: string): string | null {
    if (this.#platform !== undefined) return this.#platform.get(name)
    const at = this.#find(name, 0)
    if (at < 0) return null
    // Given twice: the platform knows how the two are joined.
    return this.#find(name, at + 2) < 0 ? (this.#list[at + 1] ?? null) : this.#full().get(name)
  }

  has(name: string): boolean {
    return this.#platform === undefined ? this.#find(name, 0) >= 0 : this.#platform.has(name)
  }

  set(name: string, value: string): void {
    if (this.#platform === undefined && this.#find(name, 0) < 0) this.#list.push(name, value)
    else this.#full().set(name, value)
  }

  append(name: string, value: string): void {
    this.#full().append(name, value)
  }

  delete(name: string): void {
    this.#full().delete(name)
  }

  getSetCookie(): string[] {
    return this.#full().getSetCookie()
  }

  forEach(visit: (value: string, key: string, parent: Headers) => void, thisArg?: unknown): void {
    for (const [name, value] of this.#full()) visit.call(thisArg, value, name, this)
  }

  entries(): HeadersIterator<[string, string]> {
    return this.#full().entries()
  }

  keys(): HeadersIterator<string> {
    return this.#full().keys()
  }

  values(): HeadersIterator<string> {
    return this.#full().values()
  }

  [Symbol.iterator](): HeadersIterator<[string, string]> {
    return this.#full().entries()
  }

  #find(name: string, from: number): number {
    const list = this.#list
    let lower: string | undefined
    for (let i = from; i < list.length; i += 2) {
      const other = list[i] ?? ''
      if (other.length !== name.length) continue
      if (other === name) return i
      lower ??= name.toLowerCase()
      if (other.toLowerCase() === lower) return i
    }
    return -1
  }

  #full(): Headers {
    if (this.#platform === undefined) {
      const made = new Headers()
      for (let i = 0; i + 1 < this.#list.length; i += 2) made.append(this.#list[i] ?? '', this.#list[i + 1] ?? '')
      this.#platform = made
    }
    return this.#platform
  }
}
// It is one for all who ask.
Object.setPrototypeOf(LightHeaders.prototype, Headers.prototype)
