import { afterAll, beforeAll, expect, test } from 'vitest'
import { TestRepository } from '../testing/artifacts.ts'
import { openTestOrigin, PASSWORD, TestEdge, type TestOrigin } from '../testing/origin.ts'
import { harborApi } from './harbor-api.ts'

// One tenant's administrator asks, by every operation, for what is another tenant's: by its own address, and by his own project's with a foreign id in it.

const ADMIN = `admin:${PASSWORD}`
const MINE = 'mine:Passw0rd-1'

interface Tenant {
  readonly project: string
  readonly projectId: number
  readonly ids: Readonly<Record<string, string | number>>
}

let origin: TestOrigin

async function call(method: string, path: string, credentials: string, json?: unknown) {
  const response = await origin.ask(method, `/api/v2.0${path}`, { credentials, ...(json !== undefined && { json }) })
  return { status: response.status, text: await response.text(), id: Number(response.headers.get('Location')?.split('/').at(-1)) }
}

async function make(path: string, json: unknown): Promise<number> {
  const { status, text, id } = await call('POST', path, ADMIN, json)
  expect({ path, status, text: status === 201 ? '' : text }).toEqual({ path, status: 201, text: '' })
  return id
}

const WEBHOOK = { name: 'hook', targets: [{ type: 'http', address: 'https://x.example.com' }], event_types: ['PUSH_ARTIFACT'], enabled: false }
const selector = (decoration: string) => [{ kind: 'doublestar', decoration, pattern: '**' }]
const RULE = {
  action: 'immutable',
  template: 'immutable_template',
  scope_selectors: { repository: selector('repoMatches') },
  tag_selectors: selector('matches').map((each) => ({ ...each, pattern: 'kept-*' })),
}

/** A project with one of everything in it. */
async function tenant(name: string): Promise<Tenant> {
  const userId = await make('/users', { username: name, password: 'Passw0rd-1', email: `${name}@example.com`, realname: name })
  const project = `team-${name}`
  const projectId = await make('/projects', { project_name: project })
  const mid = await make(`/projects/${project}/members`, { role_id: 1, member_user: { username: name } })
  const { digest } = await new TestRepository(origin, `${project}/app-${name}`).image(`layer of ${name}`, { history: [] }, 'v1')
  const label = await make('/labels', { name: 'label', scope: 'p', project_id: projectId })
  await call('POST', `/projects/${project}/repositories/app-${name}/artifacts/v1/labels`, ADMIN, { id: label })
  const webhook = await make(`/projects/${project}/webhook/policies`, WEBHOOK)
  const tested = await origin.ask('POST', `/api/atoll/v1/projects/${project}/webhooks/${webhook}/test`, { credentials: ADMIN })
  const { execution_id } = (await tested.json()) as { execution_id: number }
  const retention = await make('/retentions', {
    algorithm: 'or',
    scope: { level: 'project', ref: projectId },
    rules: [],
    trigger: { kind: 'Schedule' },
  })
  const eid = await make(`/retentions/${retention}/executions`, { dry_run: true })
  const rule = await make(`/projects/${project}/immutabletagrules`, RULE)
  const provider_id = JSON.parse((await call('GET', '/p2p/preheat/instances/fra', ADMIN)).text).id as number
  await make(`/projects/${project}/preheat/policies`, { name: `warm-${name}`, provider_id, trigger: '{"type":"manual"}', enabled: true })
  await call('POST', `/projects/${project}/preheat/policies/warm-${name}`, ADMIN)
  const permissions = [{ kind: 'project', namespace: project, access: [{ resource: 'repository', action: 'pull' }] }]
  const robot = await make('/robots', { name: 'ci', level: 'project', duration: -1, permissions })
  return {
    project,
    projectId,
    ids: {
      project_name: project,
      repository_name: `app-${name}`,
      reference: digest,
      tag_name: 'v1',
      label_id: label,
      preheat_policy_name: `warm-${name}`,
      webhook_policy_id: webhook,
      execution_id,
      task_id: execution_id,
      eid,
      tid: 1,
      immutable_rule_id: rule,
      robot_id: robot,
      mid,
      user_id: userId,
      retention_id: retention,
      addition: 'build_history',
      meta_name: 'public',
    },
  }
}

/** Bodies that would be taken, if the one who sends them might. */
function bodies({ projectId, project }: Tenant): Readonly<Record<string, unknown>> {
  return {
    'labels/{label_id}': { name: 'stolen' },
    labels: { id: 1 },
    members: { role_id: 1, member_user: { username: 'mine' } },
    '{mid}': { role_id: 5 },
    policies: { ...WEBHOOK, name: 'mine too' },
    '{webhook_policy_id}': WEBHOOK,
    immutabletagrules: RULE,
    '{immutable_rule_id}': { ...RULE, disabled: true },
    'retentions/{id}': { algorithm: 'or', scope: { level: 'project', ref: projectId }, rules: [], trigger: { kind: 'Schedule' } },
    executions: { dry_run: true },
    '{eid}': { action: 'stop' },
    '{robot_id}': { disable: true },
    password: { new_password: 'Passw0rd-2', old_password: 'Passw0rd-1' },
    cli_secret: { secret: '' },
    sysadmin: { sysadmin_flag: true },
    '{user_id}': { email: 'x@example.com', realname: 'x', comment: 'x' },
    '{execution_id}': { status: 'Stopped' },
    'metadatas/': { auto_scan: 'true' },
    '{meta_name}': { public: 'true' },
    '{repository_name}': { description: 'stolen' },
    '{project_name_or_id}': { metadata: { public: 'true' } },
    tags: { name: 'stolen' },
    scanner: { uuid: 'x' },
    'quotas/{id}': { hard: { storage: 1 } },
    robots: {
      name: 'x',
      level: 'project',
      duration: 1,
      permissions: [{ kind: 'project', namespace: project, access: [{ resource: 'repository', action: 'pull' }] }],
    },
  }
}

/** Everything of a tenant that the API shows, without what changes by itself. */
async function state({ project, projectId, ids }: Tenant): Promise<string> {
  const P = `/projects/${project}`
  const paths = [
    P,
    `${P}/metadatas/`,
    `${P}/members`,
    `${P}/summary`,
    `${P}/repositories`,
    `${P}/artifacts?with_label=true&with_tag=true`,
    `${P}/webhook/policies`,
    `${P}/webhook/policies/${ids.webhook_policy_id}/executions`,
    `${P}/immutabletagrules`,
    `${P}/preheat/policies`,
    `${P}/preheat/policies/${ids.preheat_policy_name}/executions`,
    `/labels?scope=p&project_id=${projectId}`,
    `/retentions/${ids.retention_id}`,
    `/retentions/${ids.retention_id}/executions`,
    `/robots?q=Level=project,ProjectID=${projectId}`,
    `/users/${ids.user_id}`,
    `/quotas/${projectId}`,
  ]
  return JSON.stringify(await Promise.all(paths.map(async (path) => [path, (await call('GET', path, ADMIN)).text])), undefined, 1)
}

beforeAll(async () => {
  origin = await openTestOrigin()
  await TestEdge.enrolled(origin)
  await make('/p2p/preheat/instances', { name: 'fra', endpoint: 'https://edge.example.com', enabled: true })
}, 60_000)
afterAll(async () => {
  await origin.close()
})

test('no operation lets one tenant at what is another’s', { timeout: 120_000 }, async () => {
  const mine = await tenant('mine')
  const theirs = await tenant('theirs')
  const served = harborApi(origin.origin.services).openAPIRegistry.definitions.flatMap((definition) =>
    definition.type === 'route' && definition.route.path.includes('{')
      ? [{ method: definition.route.method.toUpperCase(), path: definition.route.path }]
      : [],
  )
  const before = await state(theirs)
  const given = Object.entries(bodies(theirs))
  let asked = 0
  for (const { method, path } of served) {
    const foreign = (name: string): string | undefined => {
      if (name === 'project_name_or_id') return theirs.project
      if (name === 'id') return String(path.startsWith('/retentions') ? theirs.ids.retention_id : theirs.projectId)
      const id = theirs.ids[name]
      return id === undefined ? undefined : String(id)
    }
    const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
    // What belongs to no tenant (an icon, a group) is in the table of rights.
    if (names.some((name) => foreign(name) === undefined)) continue
    const fill = (value: (name: string) => string) => path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(value(name)))
    const own = (name: string) => (name === 'project_name_or_id' || name === 'project_name' ? mine.project : (foreign(name) ?? ''))
    const ways = [fill((name) => foreign(name) ?? '')]
    if (names.length > 1 && names[0]?.startsWith('project_name')) ways.push(fill(own))
    if (names.includes('project_name_or_id'))
      ways.push(fill((name) => (name === 'project_name_or_id' ? String(theirs.projectId) : (foreign(name) ?? ''))))
    const body = given.filter(([end]) => path.endsWith(end)).sort(([a], [b]) => b.length - a.length)[0]?.[1]
    for (const way of ways) {
      // A name of a project's metadata is nobody's own.
      if (way.includes(mine.project) && /\/metadatas\/public$|\/(additions|vulnerabilities)/.test(way)) continue
      const { status, text } = await call(method, way, MINE, method === 'GET' || method === 'DELETE' ? undefined : (body ?? {}))
      asked++
      expect({ method, way, status: status >= 400 && status < 500, text: status >= 400 ? '' : text }).toEqual({ method, way, status: true, text: '' })
      expect(text, `${method} ${way}`).not.toMatch(/layer of theirs|theirs@example/)
    }
  }
  expect(asked).toBeGreaterThan(120)
  expect(await state(theirs)).toBe(before)
  process.stderr.write(`asked ${asked} times for what is another tenant's\n`)
})
