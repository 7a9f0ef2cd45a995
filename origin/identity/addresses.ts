/** The network address that each request in progress came from. */
export class Addresses {
  readonly #addresses = new WeakMap<Request, string>()

  note(request: Request, address: string): void {
    this.#addresses.set(request, address)
  }

  of(request: Request): string {
    return this.#addresses.get(request) ?? 'unknown'
  }
}
