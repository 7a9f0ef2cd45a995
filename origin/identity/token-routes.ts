import { Hono } from 'hono'
import type { Knowledge } from '../../mesh/gate.ts'
import { grantedAccess } from '../../mesh/grants.ts'
import { ANONYMOUS } from '../../policy/facts.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { smallBody } from '../../runtime/http/small-body.ts'
import type { Account } from './accounts.ts'
import type { Callers } from './callers.ts'
import type { IssuedToken, Issuer } from './issuer.ts'
import type { Logins } from './logins.ts'

/** A form with a password and a few scopes. */
const FORM_LIMIT = 64 * 1024

export interface TokenRoutesOptions {
  readonly callers: Callers
  readonly logins: Logins
  readonly issuer: Issuer
  readonly knowledge: Knowledge
  readonly addressOf: (request: Request) => string
}

/** Docker's token service: GET with Basic or without a login, POST as OAuth 2 (distribution, "Token Authentication" and "OAuth2 Token Authentication"). */
export function tokenRoutes(options: TokenRoutesOptions): Hono {
  const { callers, logins, issuer, knowledge, addressOf } = options
  const answer = async (account: Account | undefined, scopes: readonly string[]) => {
    const access = await grantedAccess(account?.principal ?? ANONYMOUS, scopes, knowledge)
    return {
      issued: await issuer.issue(account, access),
      scope: access.map(({ type, name, actions }) => `${type}:${name}:${actions.join(',')}`).join(' '),
    }
  }
  return new Hono()
    .get('/service/token', async (c) => {
      const account = await callers.account(c.req.raw)
      const { issued } = await answer(account, c.req.queries('scope') ?? [])
      return c.json(body(issued), 200, NOT_KEPT)
    })
    .post('/service/token', async (c) => {
      const form = new URLSearchParams((await smallBody(c.req.raw, FORM_LIMIT, 'A form')).toString('utf8'))
      const account = await loginOf(form, c.req.raw)
      const { issued, scope } = await answer(account, form.getAll('scope'))
      return c.json({ ...body(issued), token_type: 'Bearer', scope }, 200, NOT_KEPT)
    })

  async function loginOf(form: URLSearchParams, request: Request): Promise<Account | undefined> {
    switch (form.get('grant_type')) {
      case 'password':
        return await logins.login(form.get('username') ?? '', form.get('password') ?? '', addressOf(request))
      case 'refresh_token':
        throw new RegistryError('UNAUTHORIZED', 'This registry gives no refresh tokens. Log in with user name and password.')
      case null:
        return await callers.account(request)
      default:
        throw new RegistryError('UNSUPPORTED', 'The grant_type must be password.', undefined, { status: 400 })
    }
  }
}

const NOT_KEPT = { 'Cache-Control': 'no-store' }

function body({ token, expiresIn, issuedAt }: IssuedToken) {
  return { token, access_token: token, expires_in: expiresIn, issued_at: new Date(issuedAt).toISOString() }
}
