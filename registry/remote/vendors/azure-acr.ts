import { decodeJwt } from 'jose'
import { RegistryError } from '../../spec/errors.ts'
import { isRepositoryName, type RepositoryName } from '../../spec/names.ts'
import type { AuthorizationRequest, Authorizer, Credentials } from '../authorizer.ts'
import { readJson } from '../bodies.ts'
import { upstreamError, upstreamInvalid } from '../errors.ts'
import { listPage } from '../lists.ts'
import { type Expiring, Renewed } from '../renewed.ts'
import { generic } from './generic.ts'
import type { Vendor, VendorContext, VendorSession } from './vendor.ts'

/** Whom a token logs in as, in place of a person or an application. */
const TOKEN_USER = '00000000-0000-0000-0000-000000000000'
const REFRESH_MARGIN_MS = 10 * 60_000
/** A refresh token of the registry says when it ends; this holds where it does not. */
const REFRESH_LIFE_MS = 3 * 3600_000

/**
 * Azure's registry. Names and passwords (the admin user, tokens of the registry, applications) meet its challenge as anywhere. Who logs in as
 * 00000000-0000-0000-0000-000000000000 gives a token: one of Entra ID's is exchanged at the registry for a refresh token, and a refresh token
 * for access tokens.
 */
export const azureAcr: Vendor = { ...generic, type: 'azure-acr', open }

function open(context: VendorContext): VendorSession {
  const { credentials, transport } = context
  const inner = credentials?.username === TOKEN_USER ? withToken(context, credentials) : context.challenge()
  const authorizer = withMetadata(inner)
  return {
    authorizer,
    repositories: async (page, signal) => {
      const accept = (entry: unknown): entry is RepositoryName => typeof entry === 'string' && isRepositoryName(entry)
      const scopes = ['registry:catalog:*']
      const slice = await listPage(context.client(authorizer, signal), {
        path: '/acr/v1/_catalog',
        scopes,
        page,
        field: 'repositories',
        accept,
        what: 'the catalog',
      })
      if (slice === undefined) throw upstreamInvalid(context.base, 'has no catalog at /acr/v1/_catalog.')
      return slice
    },
    deleteTag: async (name, tag, signal) => {
      const api = context.client(authorizer, signal)
      const reply = await api.send({ method: 'DELETE', url: `/acr/v1/${name}/_tags/${tag}`, scopes: [`repository:${name}:delete`], repeatable: true })
      if (reply.status !== 202 && reply.status !== 200 && reply.status !== 404) throw await api.errorOf(reply, `deleting the tag ${name}:${tag}`)
      await reply.discard()
      return reply.status !== 404
    },
  }

  function withToken({ base, challenge }: VendorContext, { password }: Credentials): Authorizer {
    const refresh = new Renewed(() => refreshToken(password), transport.clock, REFRESH_MARGIN_MS)
    return challenge({ refreshToken: () => refresh.value() })

    async function refreshToken(token: string): Promise<Expiring<string>> {
      const { tid, exp } = claimsOf(token)
      const now = transport.clock.now()
      if (exp !== undefined && exp * 1000 <= now) {
        const what = tid === undefined ? 'refresh token' : 'token of Entra ID'
        throw new RegistryError(
          'DENIED',
          `The ${what} for ${base.host} expired at ${new Date(exp * 1000).toISOString()}: give a new one, or the name and password of a token of the registry, which lasts.`,
        )
      }
      if (tid === undefined) return { value: token, expires: exp === undefined ? now + REFRESH_LIFE_MS : exp * 1000 }
      const form = new URLSearchParams({ grant_type: 'access_token', service: base.host, tenant: tid, access_token: token })
      const reply = await transport.send({
        method: 'POST',
        url: new URL('/oauth2/exchange', base),
        headers: { Accept: 'application/json', 'Content-Type': 'application/x-www-form-urlencoded' },
        body: new TextEncoder().encode(form.toString()),
        repeatable: true,
      })
      if (reply.status === 400 || reply.status === 401 || reply.status === 403) {
        await reply.discard()
        throw new RegistryError('DENIED', `${base.host} does not accept the token of Entra ID.`, { upstream: base.host, status: reply.status })
      }
      if (reply.status !== 200) {
        await reply.discard()
        throw upstreamError({ ...reply, now }, '', 'a refresh token')
      }
      const { refresh_token: value } = await readJson(reply, transport, transport.limits.tokenBytes)
      if (typeof value !== 'string' || value === '') throw upstreamInvalid(base, 'exchanges a token for what is none.')
      const ends = claimsOf(value).exp
      return { value, expires: ends === undefined ? now + REFRESH_LIFE_MS : ends * 1000 }
    }
  }
}

/** A token that is limited to some repositories may list tags only with `metadata_read`. */
function withMetadata(inner: Authorizer): Authorizer {
  const wider = (request: AuthorizationRequest): AuthorizationRequest => ({
    ...request,
    scopes: request.scopes.map((scope) => scope.replace(/^(repository:.+:)(?=.*\bpull\b)([^:]*)$/, '$1metadata_read,$2')),
  })
  return {
    headers: (request) => inner.headers(wider(request)),
    challenged: async (request, challenges, sent) => (await inner.challenged?.(wider(request), challenges, sent)) ?? false,
  }
}

/** What a token says of itself, which the registry checks and nothing here depends on. */
function claimsOf(token: string): { readonly tid: string | undefined; readonly exp: number | undefined } {
  try {
    const { tid, exp } = decodeJwt(token)
    return { tid: typeof tid === 'string' ? tid : undefined, exp }
  } catch {
    throw new RegistryError('DENIED', 'The secret that goes with this user is a token, and this is none.')
  }
}
