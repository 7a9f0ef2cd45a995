import * as client from 'openid-client'
import { RegistryError } from '../../../registry/spec/errors.ts'
import { createFetch } from '../../../runtime/fetch.ts'
import type { LiveValues } from '../../config/live-settings.ts'

export type ProviderSettings = Pick<LiveValues, 'oidc_endpoint' | 'oidc_client_id' | 'oidc_client_secret' | 'oidc_verify_cert'>

/** What a provider says of a person. */
export type Claims = Readonly<Record<string, unknown>> & { readonly iss: string; readonly sub: string }

/** The provider cannot be asked, or refuses; the message says what to do. */
export class ProviderError extends RegistryError {
  constructor(message: string, cause?: unknown) {
    super('UNAVAILABLE', message, undefined, { status: 503, cause })
  }
}

const TIMEOUT_S = 10

/** Asks a provider what it is (OpenID Connect Discovery 1.0, section 4). @throws ProviderError */
export async function discover(settings: ProviderSettings): Promise<client.Configuration> {
  const { oidc_endpoint: endpoint, oidc_client_id: id = 'atoll', oidc_client_secret: secret, oidc_verify_cert: verifyTls } = settings
  if (endpoint === undefined) throw new ProviderError('There is no OpenID provider: set oidc_endpoint, oidc_client_id and oidc_client_secret.')
  const url = new URL(endpoint)
  try {
    return await client.discovery(url, id, secret, secret === undefined ? client.None() : undefined, {
      timeout: TIMEOUT_S,
      [client.customFetch]: createFetch({ verifyTls }) as client.CustomFetch,
      // Whoever wrote http:// has decided so: a provider on the same machine, or behind the same proxy.
      ...(url.protocol === 'http:' && { execute: [client.allowInsecureRequests] }),
    })
  } catch (error) {
    throw new ProviderError(`The OpenID provider at ${endpoint} cannot be asked: ${reasonOf(error)}`, error)
  }
}

/** For a person: what the provider itself says (RFC 6749, 4.1.2.1 and 5.2), else what happened to the question. */
export function reasonOf(error: unknown): string {
  if (error instanceof client.ResponseBodyError || error instanceof client.AuthorizationResponseError) {
    return error.error_description === undefined ? error.error : `${error.error}: ${error.error_description}`
  }
  const cause = error instanceof Error && error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : undefined
  return cause ?? (error instanceof Error ? error.message : String(error))
}
