import { Agent, type Dispatcher } from 'undici'

export interface FetchOptions {
  /** false: any certificate will do. */
  readonly verifyTls?: boolean
  /** Certificates (PEM) of authorities to trust besides the system's. */
  readonly ca?: string | undefined
}

/** Connections to one host at once; with HTTP/1.1 each carries one request. */
const CONNECTIONS = 128
/** Milliseconds to reach a host at all. Answers and bodies have their own deadlines, at who waits for them. */
const CONNECT_MS = 10_000
const KEEP_ALIVE_MS = 30_000

/** A fetch with its own pool of connections, so that what is trusted for one endpoint is trusted for no other. */
export function createFetch({ verifyTls = true, ca }: FetchOptions = {}): typeof fetch {
  const dispatcher: Dispatcher = new Agent({
    connections: CONNECTIONS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: CONNECT_MS, rejectUnauthorized: verifyTls, ...(ca !== undefined && { ca }) },
  })
  const options = { dispatcher }
  return (input, init) => fetch(input, Object.assign({}, init, options))
}
