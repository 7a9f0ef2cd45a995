const ADDRESS = Symbol('the network address that a request came from')

/** The network address that each request in progress came from. */
export class Addresses {
  /** Kept on the request itself: a weak map of all requests would be gone through at each collection of garbage. */
  note(request: Request, address: string): void {
    Reflect.set(request, ADDRESS, address)
  }

  of(request: Request): string {
    const address: unknown = Reflect.get(request, ADDRESS)
    return typeof address === 'string' ? address : 'unknown'
  }
}
