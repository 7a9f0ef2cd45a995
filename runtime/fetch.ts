import { Agent, type Dispatcher, Dispatcher1Wrapper, EnvHttpProxyAgent, setGlobalDispatcher } from 'undici'
import { lookupBeyondLink, type ReachableNetworks } from './public-networks.ts'
import type { ForwardProxy } from './settings/proxy.ts'

export interface FetchOptions {
  /** false: any certificate will do. */
  readonly verifyTls?: boolean
  /** Certificates (PEM) of authorities to trust besides the system's. */
  readonly ca?: string | undefined
  /** Where it may go; when absent anywhere, but to link-local addresses by no name. */
  readonly reachable?: ReachableNetworks | undefined
  /** What requests go through. */
  readonly proxy?: ForwardProxy | undefined
}

/** Connections to one host at once; with HTTP/1.1 each carries one request. */
const CONNECTIONS = 128
/** Milliseconds to reach a host at all. Answers and bodies have their own deadlines, at who waits for them. */
const CONNECT_MS = 10_000
const KEEP_ALIVE_MS = 30_000

/** A fetch with its own pool of connections, so that what is trusted for one endpoint is trusted for no other. */
export function createFetch({ verifyTls = true, ca, reachable, proxy }: FetchOptions = {}): typeof fetch {
  const tls = { rejectUnauthorized: verifyTls, ...(ca !== undefined && { ca }) }
  const options = {
    connections: CONNECTIONS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: CONNECT_MS, ...tls, lookup: reachable?.lookup ?? lookupBeyondLink },
  }
  // Node's fetch speaks to dispatchers as they were before this version of them.
  const dispatcher = new Dispatcher1Wrapper(proxy === undefined ? new Agent(options) : throughProxy(options, proxy, tls))
  return async (input, init) => {
    const { hostname } = new URL(input instanceof Request ? input.url : input)
    reachable?.checkHost(hostname)
    // A proxy looks names up by itself.
    if (proxy !== undefined) await reachable?.checkName(hostname)
    return await fetch(input, Object.assign({}, init, { dispatcher }))
  }
}

/**
 * Has the platform's own `fetch` read answers as `createFetch` does. Node 24 has a version of undici in it that ends the whole process where a server
 * closes a connection while nobody reads from it ([5360](https://github.com/nodejs/undici/issues/5360)).
 */
export function mendPlatformFetch(): void {
  setGlobalDispatcher(new Agent())
}

/** An empty text is no proxy; nothing at all would be what the environment of the process says, which is read elsewhere. */
function throughProxy(options: Agent.Options, { http = '', https = '', except }: ForwardProxy, tls: object): Dispatcher {
  const through = { httpProxy: http, httpsProxy: https || http, noProxy: except.join(','), requestTls: tls, proxyTunnel: true }
  return new EnvHttpProxyAgent({ ...options, ...through })
}
