import { vendorOf } from '../../registry/remote/index.ts'
import { type ProbeRights, probe } from '../../registry/remote/probe.ts'
import type { RepositoryName } from '../../registry/spec/names.ts'
import type { OriginServices } from '../services.ts'
import { ApiError } from './errors.ts'
import { PING_TIME_MS } from './limits.ts'

export interface PingOptions {
  readonly url: URL
  /** Harbor's name for the kind of registry. */
  readonly type: string
  readonly username: string | undefined
  readonly password: string | undefined
  readonly fetch: typeof fetch
  /** Whose rights are looked at. */
  readonly repository: RepositoryName | undefined
  readonly signal: AbortSignal
}

export interface PingAnswer {
  readonly rights: ProbeRights
  /** What does not keep it from working, and is good to know. */
  readonly notes: readonly string[]
}

/** Asks a registry whether it is there and takes the credential. @throws ApiError BAD_REQUEST that says which of name, connection, certificate, login and rights is wrong */
export async function pingEndpoint({ clock }: Pick<OriginServices, 'clock'>, options: PingOptions): Promise<PingAnswer> {
  const { url, type, username, password, fetch, repository, signal } = options
  const credentials = username !== undefined && username !== '' && password !== undefined ? { username, password } : undefined
  const result = await probe({ url, vendor: vendorOf(type), fetch, clock, credentials, repository, signal, timeMs: PING_TIME_MS })
  if (!result.ok) throw new ApiError('BAD_REQUEST', result.message, { cause: result.cause })
  return { rights: result.rights, notes: result.notes }
}
