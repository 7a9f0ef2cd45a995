import { RegistryError } from '../../spec/errors.ts'
import { isRepositoryName, type RepositoryName } from '../../spec/names.ts'
import type { Credentials } from '../authorizer.ts'
import { readJson } from '../bodies.ts'
import { CursorList } from '../cursor-list.ts'
import { upstreamError, upstreamInvalid } from '../errors.ts'
import { type Expiring, Renewed } from '../renewed.ts'
import { generic } from './generic.ts'
import type { Vendor, VendorContext, VendorSession } from './vendor.ts'

const FRONTS: ReadonlySet<string> = new Set(['docker.io', 'www.docker.io', 'index.docker.io', 'hub.docker.com', 'registry.hub.docker.com'])
const REGISTRY = 'registry-1.docker.io'
const HUB = 'https://hub.docker.com'
/** Docker Hub's largest page. */
const PAGE_LIMIT = 100
const LOGIN_LIFE_MS = 10 * 60_000

/**
 * Docker Hub: its registry is at another host than its name, what has no namespace is in `library`, and repositories are listed by a service of its
 * own: those in the account's namespace.
 */
export const dockerHub: Vendor = {
  ...generic,
  type: 'docker-hub',
  base: (typed) => (FRONTS.has(typed.host) ? new URL(`https://${REGISTRY}`) : typed),
  repository: (name) => (name.includes('/') ? name : `library/${name}`),
  tokenHosts: ['auth.docker.io'],
  open: (context) => (context.credentials === undefined ? anonymous(context) : named(context, context.credentials)),
}

function anonymous({ base }: VendorContext): VendorSession {
  return {
    repositories: async () => {
      throw new RegistryError('UNSUPPORTED', `${base.host} lists repositories to those who log in. Name them, as in library/alpine.`, {
        upstream: base.host,
      })
    },
  }
}

function named({ base, transport }: VendorContext, credentials: Credentials): VendorSession {
  // A stand-in is all of Docker Hub.
  const hub = base.host === REGISTRY ? new URL(HUB) : base
  const login = new Renewed(logIn, transport.clock, LOGIN_LIFE_MS / 2)
  const namespace = credentials.username
  const list = new CursorList<RepositoryName>(async (page = '1', limit, signal) => {
    const query = new URLSearchParams({ page, page_size: String(Math.min(limit, PAGE_LIMIT)) })
    const url = new URL(`/v2/namespaces/${encodeURIComponent(namespace)}/repositories?${query}`, hub)
    const authorize = async () => ({ Authorization: `Bearer ${await login.value()}` })
    const reply = await transport.send({ method: 'GET', url, headers: { Accept: 'application/json' }, repeatable: true, authorize, signal })
    if (reply.status !== 200) {
      await reply.discard()
      throw upstreamError({ ...reply, now: transport.clock.now() }, '', `the repositories of ${namespace}`)
    }
    const { results, next } = await readJson(reply, transport, transport.limits.listBytes)
    const names = (Array.isArray(results) ? results : []).map((entry: { name?: unknown } | null) => `${namespace}/${String(entry?.name)}`)
    return { items: names.filter(isRepositoryName), ...(typeof next === 'string' && next !== '' && { next: String(Number(page) + 1) }) }
  }, transport.limits)
  return { repositories: (page, signal) => list.page(page, signal) }

  async function logIn(): Promise<Expiring<string>> {
    const url = new URL('/v2/auth/token', hub)
    const body = JSON.stringify({ identifier: credentials.username, secret: credentials.password })
    const headers = { Accept: 'application/json', 'Content-Type': 'application/json' }
    const now = transport.clock.now()
    const reply = await transport.send({ method: 'POST', url, headers, body: new TextEncoder().encode(body), repeatable: true })
    if (reply.status !== 200) {
      await reply.discard()
      throw upstreamError({ ...reply, now }, '', 'a login')
    }
    const { access_token: token } = await readJson(reply, transport, transport.limits.tokenBytes)
    if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) throw upstreamInvalid(url, 'hands out a token that is none.')
    return { value: token, expires: now + LOGIN_LIFE_MS }
  }
}
