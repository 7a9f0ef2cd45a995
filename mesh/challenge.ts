import { RegistryError } from '../registry/spec/errors.ts'

/** Where clients of this request get their tokens: found out when a request is refused, as most are not. */
export type Challenge = () => ChallengeParts

export interface ChallengeParts {
  readonly realm: string
  readonly service: string
  /** What the request needs besides what its path names, for instance `repository:team/base:pull` for the source of a mount. */
  readonly besides?: string | undefined
  /** Other scopes of which one is as good, if its sender has it. */
  readonly instead?: readonly string[]
}

export interface Wanted {
  readonly scope?: string
  readonly error?: 'insufficient_scope' | 'invalid_token'
}

/** 401 with `WWW-Authenticate: Bearer …` (RFC 6750, and Docker's token authentication). */
export function unauthorized(challenge: Challenge, message: string, { scope, error }: Wanted = {}): RegistryError {
  const { realm, service, besides, instead = [] } = challenge()
  const scopes = scope === undefined ? '' : [scope, besides, ...instead].filter((each) => each !== undefined).join(' ')
  const parameters = [
    `realm="${realm}"`,
    `service="${service}"`,
    ...(scopes === '' ? [] : [`scope="${scopes}"`]),
    ...(error ? [`error="${error}"`] : []),
  ]
  return new RegistryError('UNAUTHORIZED', message, undefined, { headers: { 'WWW-Authenticate': `Bearer ${parameters.join(',')}` } })
}
