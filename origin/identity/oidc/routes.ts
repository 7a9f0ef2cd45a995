import { Hono } from 'hono'
import { z } from 'zod'
import type { Clock } from '../../../registry/clock.ts'
import { RegistryError } from '../../../registry/spec/errors.ts'
import type { Secrets } from '../../services.ts'
import { cookieOf, setCookie } from '../cookies.ts'
import type { Facts } from '../facts.ts'
import { refuseOtherSites } from '../sessions/other-sites.ts'
import { bodyOf } from '../sessions/routes.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { Flow, Newcomer } from './flows.ts'
import { landingOf } from './landing.ts'
import { ONBOARD, ONBOARD_PAGE, onboardPage } from './onboard-page.ts'
import type { OidcPeople } from './people.ts'

const FLOW_COOKIE = 'oidc_flow'
const NEWCOMER_COOKIE = 'oidc_newcomer'
/** How long somebody may take at the provider's login, and to choose a name here. */
const FLOW_S = 600
const CALLBACK = '/c/oidc/callback'

const onboarding = z.object({ username: z.string().max(255) })

export interface OidcRoutesOptions {
  readonly oidc: OidcPeople
  readonly sessions: Sessions
  readonly facts: Facts
  readonly secrets: Secrets
  readonly clock: Pick<Clock, 'now'>
  readonly baseUrl: (request: Request) => string
}

/** How browsers log in by an OpenID provider, at Harbor's addresses. What is between two requests is with the browser, sealed. */
export function oidcRoutes({ oidc, sessions, facts, secrets, clock, baseUrl }: OidcRoutesOptions): Hono {
  const secure = (request: Request) => baseUrl(request).startsWith('https:')
  const keep = async (request: Request, name: string, value: unknown) =>
    setCookie(name, await secrets.seal(JSON.stringify({ until: clock.now() + FLOW_S * 1000, value }), name), {
      secure: secure(request),
      maxAge: FLOW_S,
      path: '/c/oidc',
    })
  const drop = (request: Request, name: string) => setCookie(name, '', { secure: secure(request), maxAge: 0, path: '/c/oidc' })
  /** @throws RegistryError UNAUTHORIZED: it is not there, too old, or not from here */
  const kept = async <T>(request: Request, name: string): Promise<T> => {
    try {
      const { until, value } = JSON.parse(await secrets.unseal(cookieOf(request, name) ?? '', name)) as { until: number; value: T }
      if (until > clock.now()) return value
    } catch (error) {
      throw new RegistryError('UNAUTHORIZED', 'This login was not begun here, in this browser. Begin it again.', undefined, { cause: error })
    }
    throw new RegistryError('UNAUTHORIZED', 'This login took too long. Begin it again.')
  }
  const begin = async (request: Request, userId: number, sealedIdToken?: string): Promise<string> => {
    const account = await facts.account(`user:${userId}`)
    if (account === undefined) throw new RegistryError('UNAUTHORIZED', 'Your account here was deleted; ask an administrator.')
    return await sessions.begin(account, secure(request), sealedIdToken)
  }

  return new Hono()
    .get('/c/oidc/login', async (c) => {
      const landing = landingOf(c.req.query('redirect_url'))
      const { url, flow } = await (await oidc.flows()).begin(baseUrl(c.req.raw) + CALLBACK)
      c.header('Set-Cookie', await keep(c.req.raw, FLOW_COOKIE, { flow, landing }))
      return c.redirect(url.href, 302)
    })
    .get(CALLBACK, async (c) => {
      const { flow, landing } = await kept<{ flow: Flow; landing: string }>(c.req.raw, FLOW_COOKIE)
      const url = new URL(baseUrl(c.req.raw) + CALLBACK)
      url.search = new URL(c.req.url).search
      const arrival = await (await oidc.flows()).arrive(url, flow)
      c.header('Set-Cookie', drop(c.req.raw, FLOW_COOKIE))
      if ('newcomer' in arrival) {
        c.header('Set-Cookie', await keep(c.req.raw, NEWCOMER_COOKIE, { newcomer: arrival.newcomer, landing }), { append: true })
        const query = new URLSearchParams({ username: arrival.newcomer.suggested, ...(landing !== '/' && { redirect_url: landing }) })
        return c.redirect(`${ONBOARD_PAGE}?${query}`, 302)
      }
      c.header('Set-Cookie', await begin(c.req.raw, arrival.user.id, arrival.sealedIdToken), { append: true })
      return c.redirect(landing, 302)
    })
    .get(ONBOARD_PAGE, async (c) => await onboardPage(c.req.query('username') ?? ''))
    .post(ONBOARD, async (c) => {
      refuseOtherSites(c.req.raw, baseUrl(c.req.raw))
      const body = await bodyOf(c.req.raw)
      // The page sends a form; a portal, or a script, JSON.
      const form = /^application\/x-www-form-urlencoded\b/i.test(c.req.header('content-type') ?? '')
      const { success, data } = onboarding.safeParse(form ? Object.fromEntries(new URLSearchParams(body)) : json(body))
      try {
        const { newcomer, landing } = await kept<{ newcomer: Newcomer; landing: string }>(c.req.raw, NEWCOMER_COOKIE)
        if (!success) throw new RegistryError('UNSUPPORTED', 'Send {"username": "…"}, up to 255 characters.', undefined, { status: 400 })
        const user = await (await oidc.flows()).onboard(newcomer, data.username.trim())
        c.header('Set-Cookie', drop(c.req.raw, NEWCOMER_COOKIE))
        c.header('Set-Cookie', await begin(c.req.raw, user.id, newcomer.sealedIdToken), { append: true })
        return form ? c.redirect(landing, 303) : c.body(null, 200)
      } catch (error) {
        if (!form || !(error instanceof RegistryError) || error.status >= 500) throw error
        return await onboardPage(data?.username ?? '', { text: error.message, status: error.status })
      }
    })
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
