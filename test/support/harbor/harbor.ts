import { randomBytes } from 'node:crypto'
import { serveHttp } from '../../../runtime/http-server.ts'
import { projects } from '../../../schema/tables/projects.ts'
import { type BareRegistry, bareRegistry, memoryLog } from '../bare-registry.ts'
import { basicOf, bearerOf, behind, json, repositoryIn } from '../vendors/world.ts'
import { ContractCalls } from './contract-calls.ts'

/** Somebody who may log in. `robot$…` are robots, and what they may do is all they may. */
export interface HarborAccount {
  readonly name: string
  readonly secret: string
  readonly admin?: boolean
  /** By project: `pull`, `push`, `delete`. */
  readonly may?: Readonly<Record<string, readonly string[]>>
}

/**
 * What Harbor shows to those who replicate to it and from it, in front of a registry of ours: its API, every call of which is held against its contract;
 * its token service; projects that must be there; a catalog for administrators alone; tags that only the API deletes; sessions that want a CSRF token.
 */
export interface HarborServer extends AsyncDisposable {
  readonly url: URL
  readonly calls: ContractCalls
  readonly registry: BareRegistry
  /** What came with a cookie: nobody who logs in by name and password should keep one. */
  readonly cookies: string[]
  /** The projects that are there. */
  projects(): Promise<string[]>
}

const errors = (status: number, code: string, message: string) => json({ errors: [{ code, message }] }, status)

export async function startHarbor(options: {
  readonly accounts: readonly HarborAccount[]
  readonly projects: readonly string[]
}): Promise<HarborServer> {
  const registry = await bareRegistry({ projects: options.projects })
  const calls = new ContractCalls()
  const tokens = new Map<string, ReadonlySet<string>>()
  const cookies: string[] = []
  const forward = behind(new URL(registry.server.url))
  const projectNames = async () => (await registry.database.read.sql.select({ name: projects.name }).from(projects)).map(({ name }) => name)

  const login = (request: Request): HarborAccount | undefined => {
    const given = basicOf(request)
    return options.accounts.find(({ name, secret }) => name === given?.name && secret === given.secret)
  }
  const may = (account: HarborAccount, project: string, action: string) =>
    account.admin === true || (account.may?.[project]?.includes(action) ?? false)

  async function api(request: Request, url: URL): Promise<Response> {
    const body = await request.text()
    const path = url.pathname.slice('/api/v2.0'.length)
    calls.check({ method: request.method, path, query: url.searchParams, headers: request.headers, body })
    const account = login(request)
    const changes = request.method !== 'GET' && request.method !== 'HEAD'
    if (request.headers.has('cookie') && changes && !request.headers.has('x-harbor-csrf-token'))
      return errors(403, 'FORBIDDEN', 'CSRF token not found in request')
    if (account === undefined) return errors(401, 'UNAUTHORIZED', 'unauthorized')
    const names = await projectNames()
    if (path === '/projects' && request.method === 'HEAD')
      return new Response(null, { status: names.includes(url.searchParams.get('project_name') ?? '') ? 200 : 404 })
    if (path === '/projects' && request.method === 'POST') {
      if (account.admin !== true) return errors(403, 'FORBIDDEN', 'forbidden: Only system admin can create project')
      const { project_name: name = '' } = JSON.parse(body) as { project_name?: string }
      if (names.includes(name)) return errors(409, 'CONFLICT', `The project named ${name} already exists`)
      await registry.database.write(({ sql }) =>
        sql.insert(projects).values({ name, ownerId: 1, public: false, metadata: {}, createdAt: 0, updatedAt: 0 }),
      )
      return new Response(null, { status: 201, headers: { location: `/api/v2.0/projects/${names.length + 1}` } })
    }
    if (path === '/repositories' && request.method === 'GET') return await repositories(account, url)
    const tag = /^\/projects\/([^/]+)\/repositories\/([^/]+)\/artifacts\/([^/]+)\/tags\/([^/]+)$/.exec(path)
    if (tag !== null && request.method === 'DELETE') {
      const [, project = '', repository = '', , name = ''] = tag
      if (!may(account, project, 'delete')) return errors(403, 'FORBIDDEN', 'forbidden')
      // A slash in a repository's name is escaped twice, for the proxies on the way.
      const address = `/v2/${project}/${decodeURIComponent(decodeURIComponent(repository))}/manifests/${name}`
      const deleted = await forward(new Request(new URL(address, url), { method: 'DELETE' }))
      return deleted.ok ? new Response(null, { status: 200 }) : errors(404, 'NOT_FOUND', 'not found')
    }
    return errors(404, 'NOT_FOUND', 'page not found')
  }

  async function repositories(account: HarborAccount, url: URL): Promise<Response> {
    const [page, size] = [Number(url.searchParams.get('page') ?? 1), Number(url.searchParams.get('page_size') ?? 10)]
    if (size > 100) return errors(422, 'UNPROCESSABLE_ENTITY', 'page_size in query should be less than or equal to 100')
    const all = (await registry.local.as('system').repositories({ limit: 1000 })).items
    // The newest first, as Harbor lists.
    const seen = all.filter((name) => may(account, name.split('/')[0] ?? '', 'pull')).reverse()
    const items = seen
      .slice((page - 1) * size, page * size)
      .map((name, at) => ({ id: at + 1, name, project_id: 1, artifact_count: 1, pull_count: 0 }))
    return json(items, 200, { 'x-total-count': String(seen.length) })
  }

  async function token(request: Request, url: URL): Promise<Response> {
    const account = login(request)
    if (account === undefined) return errors(401, 'UNAUTHORIZED', 'unauthorized')
    const names = await projectNames()
    const granted = new Set<string>()
    for (const scope of url.searchParams.getAll('scope')) {
      const [type, name = '', actions = ''] = scope.split(':')
      if (type === 'registry' && account.admin === true) granted.add('catalog')
      const project = name.split('/')[0] ?? ''
      if (type === 'repository' && names.includes(project))
        for (const action of actions.split(',')) if (may(account, project, action)) granted.add(`${name}:${action}`)
    }
    const made = randomBytes(32).toString('base64url')
    tokens.set(made, granted)
    return json({ token: made, access_token: '', expires_in: 1800, issued_at: new Date().toISOString() })
  }

  async function v2(request: Request, url: URL): Promise<Response> {
    const granted = tokens.get(bearerOf(request) ?? '')
    const repository = repositoryIn(url.pathname)
    const challenge = { 'www-authenticate': `Bearer realm="${url.origin}/service/token",service="harbor-registry"` }
    const refused = json({ errors: [{ code: 'UNAUTHORIZED', message: `unauthorized to access ${repository ?? 'it'}` }] }, 401, challenge)
    if (granted === undefined) return refused
    if (url.pathname === '/v2/') return json({})
    if (url.pathname === '/v2/_catalog') return granted.has('catalog') ? await forward(request) : refused
    const action =
      request.method === 'GET' || request.method === 'HEAD'
        ? 'pull'
        : request.method === 'DELETE' && !url.pathname.includes('/uploads/')
          ? 'delete'
          : 'push'
    // The state of an upload is the pusher's.
    const allowed =
      granted.has(`${repository}:${action}`) || (url.pathname.includes('/blobs/') && action === 'pull' && granted.has(`${repository}:push`))
    if (!allowed) return refused
    if (action === 'delete' && !url.pathname.includes('/sha256:'))
      return errors(400, 'UNSUPPORTED', `unsupported digest ${url.pathname.split('/').at(-1)}`)
    return await forward(request)
  }

  const log = memoryLog()
  const server = await serveHttp({
    host: '127.0.0.1',
    port: 0,
    log,
    fetch: async (request) => {
      const url = new URL(request.url)
      const cookie = request.headers.get('cookie')
      if (cookie !== null) cookies.push(cookie)
      const answer = url.pathname.startsWith('/api/v2.0/')
        ? await api(request, url)
        : url.pathname === '/service/token'
          ? await token(request, url)
          : await v2(request, url)
      const headers = new Headers(answer.headers)
      headers.append('set-cookie', `sid=${randomBytes(16).toString('hex')}; Path=/; HttpOnly`)
      headers.append('set-cookie', `_gorilla_csrf=${randomBytes(16).toString('hex')}; Path=/; HttpOnly`)
      headers.set('x-harbor-csrf-token', randomBytes(16).toString('base64'))
      return new Response(answer.body, { status: answer.status, headers })
    },
  })
  return {
    url: new URL(server.url),
    calls,
    registry,
    cookies,
    projects: projectNames,
    async [Symbol.asyncDispose]() {
      await server.close()
      await registry[Symbol.asyncDispose]()
    },
  }
}
