import { RegistryError } from '../../spec/errors.ts'
import { isRepositoryName, type RepositoryName } from '../../spec/names.ts'
import { type Authorizer, basic, type Credentials } from '../authorizer.ts'
import { CursorList } from '../cursor-list.ts'
import { upstreamInvalid } from '../errors.ts'
import { type Expiring, Renewed } from '../renewed.ts'
import { AwsError, type AwsService, callAws } from './aws-api.ts'
import { generic } from './generic.ts'
import type { Vendor, VendorContext, VendorSession } from './vendor.ts'

/** A token lives for twelve hours; it is replaced so long before its end, whatever is being copied meanwhile. */
const TOKEN_MARGIN_MS = 30 * 60_000
const TOKEN_LIFE_LIMIT_MS = 12 * 3600_000
/** A page of DescribeRepositories. */
const PAGE_LIMIT = 1000
const PUBLIC_HOST = 'public.ecr.aws'

/**
 * Amazon's registry. The key and its secret sign requests to Amazon's API, which hands out a token that logs in at the registry; neither goes to
 * the other's host. Repositories must be made before a push, and are listed by the API.
 */
export const awsEcr: Vendor = {
  ...generic,
  type: 'aws-ecr',
  open: (context) => (context.base.host === PUBLIC_HOST ? publicSession(context) : privateSession(context)),
  locate: async (context) => {
    // `api.ecr.eu-central-1.amazonaws.com` names a region; which registry is there depends on who asks.
    if (!/^(?:api\.)?ecr(?:-fips)?\./.test(context.typed.hostname)) return context.base
    return (await authorization(context, requireKey(context))).registry ?? context.base
  },
}

const HOST =
  /^(?:\d{12}\.dkr[.-]ecr|api\.ecr|ecr)(-fips)?\.([a-z0-9-]+)\.(amazonaws\.com|amazonaws\.com\.cn|amazonaws\.eu|on\.aws|api\.aws|sc2s\.sgov\.gov|c2s\.ic\.gov)$/

/** The API of a registry, by the registry's host. Another host than Amazon's is a stand-in, and both. */
export function ecrService({ hostname, href }: URL): AwsService {
  const target = 'AmazonEC2ContainerRegistry_V20150921'
  const match = HOST.exec(hostname)
  if (match === null) return { url: new URL('/', href), name: 'ecr', region: 'us-east-1', target }
  const [, fips, region = '', suffix = ''] = match
  const dualStack = suffix === 'on.aws' || suffix === 'api.aws'
  const prefix = fips === undefined ? (dualStack ? 'ecr' : 'api.ecr') : 'ecr-fips'
  return { url: new URL(`https://${prefix}.${region}.${dualStack ? 'api.aws' : suffix}/`), name: 'ecr', region, target }
}

function privateSession(context: VendorContext): VendorSession {
  const { credentials, transport } = context
  if (credentials === undefined) return {}
  const service = ecrService(context.base)
  const login = new Renewed(() => authorization(context, credentials), transport.clock, TOKEN_MARGIN_MS)
  const list = new CursorList<RepositoryName>(async (nextToken, limit, signal) => {
    const input = { maxResults: Math.min(limit, PAGE_LIMIT), ...(nextToken !== undefined && { nextToken }) }
    const answer = await callAws(transport, service, credentials, 'DescribeRepositories', input, signal)
    const names = (Array.isArray(answer.repositories) ? answer.repositories : []).map(
      (entry: { repositoryName?: unknown } | null) => entry?.repositoryName,
    )
    const items = names.filter((name): name is RepositoryName => typeof name === 'string' && isRepositoryName(name))
    return { items, ...(typeof answer.nextToken === 'string' && { next: answer.nextToken }) }
  }, transport.limits)
  return {
    authorizer: basicLogin(login),
    repositories: (page, signal) => list.page(page, signal),
    deleteTag: async (name, tag, signal) => {
      const input = { repositoryName: name, imageIds: [{ imageTag: tag }] }
      const answer = await callAws(transport, service, credentials, 'BatchDeleteImage', input, signal)
      // What could not be deleted is among its failures, and a tag that is not there is the only one that a tag can have.
      return Array.isArray(answer.imageIds) && answer.imageIds.length > 0
    },
    prepare: async (name, signal) => {
      const call = (operation: string, input: object) => callAws(transport, service, credentials, operation, input, signal)
      try {
        await call('DescribeRepositories', { repositoryNames: [name] })
      } catch (error) {
        // Who may not look may still push to one that is there: then the push itself tells.
        if (isAws(error, 'AccessDeniedException')) return
        if (!isAws(error, 'RepositoryNotFoundException')) throw error
        await call('CreateRepository', { repositoryName: name }).catch((problem: unknown) => {
          // Somebody else made it meanwhile.
          if (!isAws(problem, 'RepositoryAlreadyExistsException')) throw problem
        })
      }
    },
  }
}

/** `public.ecr.aws` is read by anybody; with a key, as somebody. Its API is in one region. */
function publicSession(context: VendorContext): VendorSession {
  const { credentials, transport } = context
  if (credentials === undefined) return {}
  const service = {
    url: new URL('https://api.ecr-public.us-east-1.amazonaws.com/'),
    name: 'ecr-public',
    region: 'us-east-1',
    target: 'SpencerFrontendService',
  }
  const get = async () => {
    const answer = await callAws(transport, service, credentials, 'GetAuthorizationToken', {})
    return loginOf(answer.authorizationData, service.url, transport.clock.now())
  }
  const login = new Renewed(get, transport.clock, TOKEN_MARGIN_MS)
  return { authorizer: context.challenge({ credentials: () => login.value() }) }
}

/** Sends the token as a password without waiting to be asked, and gets another when it is refused. */
function basicLogin(login: Renewed<Credentials>): Authorizer {
  const used = new Map<string, Credentials>()
  const header = async (refused?: Credentials) => {
    const credentials = await login.value(refused)
    const value = basic(credentials)
    used.clear()
    used.set(value, credentials)
    return value
  }
  return {
    headers: async () => ({ Authorization: await header() }),
    challenged: async (_request, _challenges, sent) => {
      const before = sent.Authorization
      return (await header(before === undefined ? undefined : used.get(before))) !== before
    },
  }
}

async function authorization(context: VendorContext, credentials: Credentials): Promise<Expiring<Credentials> & { readonly registry?: URL }> {
  const { transport } = context
  const service = ecrService(context.typed)
  const answer = await callAws(transport, service, credentials, 'GetAuthorizationToken', {})
  const [data] = Array.isArray(answer.authorizationData) ? answer.authorizationData : []
  const login = loginOf(data, service.url, transport.clock.now())
  const registry = URL.parse(String((data as { proxyEndpoint?: unknown }).proxyEndpoint))
  return { ...login, ...(registry !== null && HOST.test(registry.hostname) && registry.protocol === 'https:' && { registry }) }
}

/** `authorizationToken` is a name and a password as basic authentication sends them. */
function loginOf(data: unknown, api: URL, now: number): Expiring<Credentials> {
  const { authorizationToken, expiresAt } = (data ?? {}) as { authorizationToken?: unknown; expiresAt?: unknown }
  let text: string
  try {
    text = typeof authorizationToken === 'string' ? atob(authorizationToken) : ''
  } catch {
    text = ''
  }
  const colon = text.indexOf(':')
  if (colon < 1) throw upstreamInvalid(api, 'hands out a token that is none.')
  const life = typeof expiresAt === 'number' ? Math.min(expiresAt * 1000 - now, TOKEN_LIFE_LIMIT_MS) : TOKEN_LIFE_LIMIT_MS
  return { value: { username: text.slice(0, colon), password: text.slice(colon + 1) }, expires: now + life }
}

function requireKey({ credentials, typed }: VendorContext): Credentials {
  if (credentials !== undefined) return credentials
  throw new RegistryError('DENIED', `${typed.host} wants an access key and its secret.`, { upstream: typed.host })
}

function isAws(error: unknown, type: string): boolean {
  return error instanceof AwsError && error.type === type
}
