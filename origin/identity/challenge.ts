import { RegistryError } from '../../registry/spec/errors.ts'

/** Where clients of this request get their tokens. */
export interface Challenge {
  readonly realm: string
  readonly service: string
}

/** 401 with `WWW-Authenticate: Bearer …` (RFC 6750, and Docker's token authentication). */
export function unauthorized(
  challenge: Challenge,
  message: string,
  options: { readonly scope?: string; readonly error?: 'insufficient_scope' | 'invalid_token' } = {},
): RegistryError {
  const parameters = Object.entries({ realm: challenge.realm, service: challenge.service, ...options })
  return new RegistryError('UNAUTHORIZED', message, undefined, {
    headers: { 'WWW-Authenticate': `Bearer ${parameters.map(([name, value]) => `${name}="${value}"`).join(',')}` },
  })
}
