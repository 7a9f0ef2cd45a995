const GIVEN = /^[\x21-\x7e]{1,128}$/

/** Names each request: as its sender did, if that is a plain short text, else anew. */
export class RequestIds {
  readonly #newId: () => string
  readonly #ids = new WeakMap<Request, string>()

  constructor(newId: () => string) {
    this.#newId = newId
  }

  /** When the request is answered: as `of`, and nobody asks again. */
  last(request: Request): string {
    return this.#ids.get(request) ?? this.#name(request)
  }

  of(request: Request): string {
    const known = this.#ids.get(request)
    if (known !== undefined) return known
    const id = this.#name(request)
    this.#ids.set(request, id)
    return id
  }

  #name(request: Request): string {
    const given = request.headers.get('x-request-id')
    return given !== null && GIVEN.test(given) ? given : this.#newId()
  }
}
