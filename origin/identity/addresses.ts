import type { ConnectionInfo } from '../../runtime/http-server.ts'

const BELIEVED = Symbol('whether a trusted proxy has sent it')
const ADDRESS = Symbol('the network address that a request came from')

/** The network address that each request in progress came from. */
export class Addresses {
  /** Kept on the request itself: a weak map of all requests would be gone through at each collection of garbage. */
  note(request: Request, { remoteAddress, believed }: Pick<ConnectionInfo, 'remoteAddress' | 'believed'>): void {
    Reflect.set(request, ADDRESS, remoteAddress)
    if (believed) Reflect.set(request, BELIEVED, true)
  }

  /** Whether a proxy that is trusted has sent it: then its headers are that one's word. */
  believed(request: Request): boolean {
    return Reflect.get(request, BELIEVED) === true
  }

  of(request: Request): string {
    const address: unknown = Reflect.get(request, ADDRESS)
    return typeof address === 'string' ? address : 'unknown'
  }
}
