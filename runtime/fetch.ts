import { Agent, type Dispatcher } from 'undici'
import type { ReachableNetworks } from './public-networks.ts'

export interface FetchOptions {
  /** false: any certificate will do. */
  readonly verifyTls?: boolean
  /** Certificates (PEM) of authorities to trust besides the system's. */
  readonly ca?: string | undefined
  /** Where it may go; anywhere when absent. */
  readonly reachable?: ReachableNetworks | undefined
}

/** Connections to one host at once; with HTTP/1.1 each carries one request. */
const CONNECTIONS = 128
/** Milliseconds to reach a host at all. Answers and bodies have their own deadlines, at who waits for them. */
const CONNECT_MS = 10_000
const KEEP_ALIVE_MS = 30_000

/** A fetch with its own pool of connections, so that what is trusted for one endpoint is trusted for no other. */
export function createFetch({ verifyTls = true, ca, reachable }: FetchOptions = {}): typeof fetch {
  const dispatcher: Dispatcher = new Agent({
    connections: CONNECTIONS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: CONNECT_MS, rejectUnauthorized: verifyTls, ...(ca !== undefined && { ca }), ...(reachable && { lookup: reachable.lookup }) },
  })
  const options = { dispatcher }
  return async (input, init) => {
    reachable?.checkHost(new URL(input instanceof Request ? input.url : input).hostname)
    return await fetch(input, Object.assign({}, init, options))
  }
}
