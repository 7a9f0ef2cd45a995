import { Hono } from 'hono'
import { RegistryError } from '../../../registry/spec/errors.ts'
import { smallBody } from '../../../runtime/http/small-body.ts'
import { setCookie } from '../cookies.ts'
import type { Logins } from '../logins.ts'
import type { OidcPeople } from '../oidc/people.ts'
import { refuseOtherSites } from './other-sites.ts'
import { SESSION_COOKIE, type Sessions } from './sessions.ts'

const FORM_LIMIT = 16 * 1024

export interface SessionRoutesOptions {
  readonly logins: Logins
  readonly sessions: Sessions
  readonly oidc: OidcPeople
  readonly addressOf: (request: Request) => string
  readonly baseUrl: (request: Request) => string
}

/** How browsers log in and out, at Harbor's addresses. */
export function sessionRoutes({ logins, sessions, oidc, addressOf, baseUrl }: SessionRoutesOptions): Hono {
  const secure = (request: Request) => baseUrl(request).startsWith('https:')
  return new Hono()
    .post('/c/login', async (c) => {
      refuseOtherSites(c.req.raw, baseUrl(c.req.raw))
      const form = new URLSearchParams(await bodyOf(c.req.raw))
      const account = await logins.login(form.get('principal') ?? '', form.get('password') ?? '', addressOf(c.req.raw))
      if (account.principal.kind !== 'user')
        throw new RegistryError('UNAUTHORIZED', 'Robots have no sessions; they send their secret with each request.')
      if (await oidc.knows(account.principal.id)) {
        throw new RegistryError('UNAUTHORIZED', 'A CLI secret is for clients, and begins no session: log in at your OpenID provider.')
      }
      c.header('Set-Cookie', await sessions.begin(account, secure(c.req.raw)))
      return c.body(null, 200)
    })
    .get('/c/log_out', async (c) => {
      const session = await sessions.end(c.req.raw)
      c.header('Set-Cookie', setCookie(SESSION_COOKIE, '', { secure: secure(c.req.raw), maxAge: 0 }))
      const elsewhere = session && (await oidc.logoutUrl(session, baseUrl(c.req.raw)))
      return elsewhere === undefined ? c.body(null, 200) : c.redirect(elsewhere.href, 302)
    })
}

/** @throws RegistryError SIZE_INVALID */
export async function bodyOf(request: Request): Promise<string> {
  return (await smallBody(request, FORM_LIMIT, 'A form')).toString('utf8')
}
