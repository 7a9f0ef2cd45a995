import { RegistryError } from '../registry/spec/errors.ts'

/** Where clients of this request get their tokens: found out when a request is refused, as most are not. */
export type Challenge = () => ChallengeParts

export interface ChallengeParts {
  readonly realm: string
  readonly service: string
  /** What the request needs besides what its path names, for instance `repository:team/base:pull` for the source of a mount. */
  readonly besides?: string | undefined
}

export interface Wanted {
  readonly scope?: string
  readonly error?: 'insufficient_scope' | 'invalid_token'
}

/** 401 with `WWW-Authenticate: Bearer …` (RFC 6750, and Docker's token authentication). */
export function unauthorized(challenge: Challenge, message: string, { scope, error }: Wanted = {}): RegistryError {
  const { realm, service, besides } = challenge()
  const scopes = [scope, scope === undefined ? undefined : besides].filter((each) => each !== undefined).join(' ')
  const parameters = [
    `realm="${realm}"`,
    `service="${service}"`,
    ...(scopes === '' ? [] : [`scope="${scopes}"`]),
    ...(error ? [`error="${error}"`] : []),
  ]
  return new RegistryError('UNAUTHORIZED', message, undefined, { headers: { 'WWW-Authenticate': `Bearer ${parameters.join(',')}` } })
}
