import { AsyncLocalStorage } from 'node:async_hooks'

const GIVEN = /^[\x21-\x7e]{1,128}$/

/** The one name of a request: its sender's, if that is a plain short text, else ours. It goes with all that is done for the request. */
export class RequestIdentity {
  readonly #newId: () => string
  readonly #current = new AsyncLocalStorage<string>()

  constructor(newId: () => string) {
    this.#newId = newId
  }

  /** Of the request that is being answered here; undefined: nobody's, it is done in the background. */
  get current(): string | undefined {
    return this.#current.getStore()
  }

  /** Names the request, in its own headers too, so that whoever looks there finds the same. */
  name(request: Request): string {
    const given = request.headers.get('X-Request-Id')
    if (given !== null && GIVEN.test(given)) return given
    const made = this.#newId()
    request.headers.set('X-Request-Id', made)
    return made
  }

  run<T>(id: string, work: () => T): T {
    return this.#current.run(id, work)
  }
}
