import type { RegistryError } from '../spec/errors.ts'
import type { Challenge } from './challenge.ts'

/** A request that is about to be sent, as far as authorization goes. */
export interface AuthorizationRequest {
  readonly method: string
  readonly url: URL
  /** What the request needs, in the token scheme's words: `repository:library/nginx:pull`. Sorted, without repetitions. */
  readonly scopes: readonly string[]
  readonly signal?: AbortSignal | undefined
}

/**
 * Proves to a registry who we are. Its headers go only to the registry's own origin, never where a redirect leads.
 * Implement it to sign requests, or to use tokens that somebody else hands out.
 */
export interface Authorizer {
  headers(request: AuthorizationRequest): Promise<Readonly<Record<string, string>>>
  /**
   * The registry answered 401 to a request with the headers `sent`. True: it is worth asking once more with new headers.
   * @throws RegistryError when the credentials themselves are refused, or what hands out tokens does not answer
   */
  challenged?(request: AuthorizationRequest, challenges: readonly Challenge[], sent: Readonly<Record<string, string>>): Promise<boolean>
  /** Learns what the registry wants, if that is not known yet, without a request that needs it. @throws RegistryError when it does not answer */
  acquaint?(signal?: AbortSignal): Promise<void>
  /** What a 401 means that came in spite of all that. Absent: that our credentials are not accepted. */
  refused?(): RegistryError
}

export interface Credentials {
  readonly username: string
  readonly password: string
}

/** The name and password of now, for those that are exchanged for something that expires. @throws RegistryError when the exchange is refused */
export type CredentialSource = () => Promise<Credentials>

/** Sends a name and a password with every request, without waiting to be asked. */
export function basicAuthorizer(credentials: Credentials): Authorizer {
  const headers = { Authorization: basic(credentials) }
  return { headers: async () => headers }
}

/**
 * Uses tokens that somebody else hands out, for instance an origin to its edges, and that `token` remembers as it likes.
 * `refused`: the registry did not take this one, another is wanted.
 */
export function bearerAuthorizer(token: (scopes: readonly string[], options: TokenOptions) => Promise<string>): Authorizer {
  return {
    headers: async ({ scopes, signal }) => ({ Authorization: `Bearer ${await token(scopes, { signal })}` }),
    challenged: async ({ scopes, signal }, _challenges, sent) => {
      const refused = bearerOf(sent)
      return (await token(scopes, { refused, signal })) !== refused
    },
  }
}

export interface TokenOptions {
  readonly refused?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** The bearer token among a request's headers. */
export function bearerOf(sent: Readonly<Record<string, string>>): string | undefined {
  const value = sent.Authorization
  return value?.startsWith('Bearer ') ? value.slice('Bearer '.length) : undefined
}

/** RFC 7617, in UTF-8. */
export function basic({ username, password }: Credentials): string {
  const bytes = new TextEncoder().encode(`${username}:${password}`)
  return `Basic ${btoa(String.fromCharCode(...bytes))}`
}
