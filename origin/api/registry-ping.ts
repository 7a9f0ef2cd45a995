import { RemoteRegistry } from '../../registry/remote/remote-registry.ts'
import { vendorOf } from '../../registry/remote/vendors/index.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { createFetch } from '../../runtime/fetch.ts'
import type { OriginServices } from '../services.ts'
import { ApiError } from './errors.ts'
import { PING_TIME_MS } from './limits.ts'

export interface PingOptions {
  readonly url: URL
  /** Harbor's name for the kind of registry. */
  readonly type: string
  readonly username: string | undefined
  readonly password: string | undefined
  readonly insecure: boolean
  readonly ca: string | undefined
  readonly signal: AbortSignal
}

/** Asks a registry whether it is there and takes the credential. @throws ApiError BAD_REQUEST that says which of name, connection, certificate and login is wrong */
export async function pingEndpoint({ clock }: Pick<OriginServices, 'clock'>, options: PingOptions): Promise<void> {
  const { url, type, username, password, insecure, ca, signal } = options
  const remote = new RemoteRegistry({
    url,
    vendor: vendorOf(type),
    fetch: createFetch({ verifyTls: !insecure, ca: ca === '' ? undefined : ca }),
    clock,
    limits: { attempts: 1 },
    credentials: username !== undefined && username !== '' && password !== undefined ? { username, password } : undefined,
  })
  const deadline = new AbortController()
  const stop = clock.after(PING_TIME_MS, () => deadline.abort())
  try {
    await remote.ping(AbortSignal.any([signal, deadline.signal]))
  } catch (error) {
    if (deadline.signal.aborted)
      throw new ApiError('BAD_REQUEST', `connection: ${url.host} gave no answer in ${PING_TIME_MS / 1000} seconds.`, { cause: error })
    throw new ApiError('BAD_REQUEST', explain(error, url), { cause: error })
  } finally {
    stop()
  }
}

const DNS_CODES: readonly string[] = ['ENOTFOUND', 'EAI_AGAIN', 'EAI_NODATA', 'EAI_NONAME']
const CONNECTION_CODES: readonly string[] = [
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_SOCKET',
]

/** Which of the steps on the way failed, for a person. The message names the host and never the credential. */
export function explain(error: unknown, url: URL): string {
  const code = codeOf(error)
  if (code !== undefined && DNS_CODES.includes(code)) return `DNS: there is no host ${url.hostname} (${code}).`
  if (code !== undefined && CONNECTION_CODES.includes(code)) return `connection: ${url.host} does not take connections (${code}).`
  if (code !== undefined && /CERT|SIGNATURE|ERR_TLS|ERR_SSL|EPROTO/.test(code)) {
    return `TLS: the certificate of ${url.host} is not trusted (${code}); give its CA certificate, or do not verify it.`
  }
  if (error instanceof RegistryError && (error.code === 'DENIED' || error.code === 'UNAUTHORIZED'))
    return `login: ${url.host} does not take this credential.`
  if (error instanceof RegistryError) return `answer: ${error.message}`
  return `connection: ${url.host} could not be asked.`
}

/** The code of the deepest cause: what the runtime or the resolver said. */
function codeOf(error: unknown): string | undefined {
  let code: string | undefined
  let current = error
  for (let depth = 0; depth < 10 && current instanceof Error; depth++) {
    if (!(current instanceof RegistryError) && 'code' in current && typeof current.code === 'string') code = current.code
    current = current instanceof AggregateError ? (current.errors[0] ?? current.cause) : current.cause
  }
  return code
}
