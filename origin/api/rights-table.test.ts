import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TestRepository } from '../testing/artifacts.ts'
import { openTestOrigin, PASSWORD, type TestOrigin } from '../testing/origin.ts'
import { harborApi } from './harbor-api.ts'

// Every operation that is served × everybody who may ask. The table is what Harbor's roles mean to its users, written here by itself: it reads nothing of policy/.

const WHO = [
  'anonymous',
  'limitedGuest',
  'guest',
  'developer',
  'maintainer',
  'projectAdmin',
  'otherAdmin',
  'admin',
  'projectRobot',
  'systemRobot',
  'expiredRobot',
  'disabledRobot',
] as const
type Who = (typeof WHO)[number]

/** ok: past the guard, whatever is then said of the wish. hidden: as if the project were not there. */
type Outcome = 'ok' | 'login' | 'denied' | 'hidden'

const ROLES = ['limitedGuest', 'guest', 'developer', 'maintainer', 'projectAdmin'] as const
/** everyone: without a login. account: whoever has logged in. self: himself or an administrator. system: administrators. A role: it and those above it, in the project. */
type Least = (typeof ROLES)[number] | 'everyone' | 'account' | 'self' | 'system'

const P = '/projects/{project_name_or_id}'
const N = '/projects/{project_name}'
const R = `${N}/repositories/{repository_name}`
const A = `${R}/artifacts/{reference}`
const W = `${P}/webhook`
const H = `${N}/preheat`
const HP = `${H}/policies/{preheat_policy_name}`
const I = '/p2p/preheat/instances'

const TABLE: Readonly<Record<Least, readonly string[]>> = {
  everyone: [
    'GET /ping',
    'GET /health',
    'GET /projects',
    'HEAD /projects',
    'GET /repositories',
    'GET /icons/{digest}',
    'GET /search',
    'GET /systeminfo',
    'GET /systeminfo/getcert',
  ],
  account: [
    'GET /statistics',
    'GET /labels',
    'POST /labels',
    'DELETE /labels/{label_id}',
    'GET /permissions',
    'GET /users/current/permissions',
    'GET /users/current',
    'GET /users/search',
    'POST /robots',
    'DELETE /robots/{robot_id}',
    'GET /audit-logs',
    'GET /auditlog-exts',
    'GET /auditlog-exts/events',
    'GET /usergroups/search',
    'GET /schedules/{job_type}/paused',
    'GET /retentions/metadatas',
    'POST /retentions',
    'DELETE /retentions/{id}',
  ],
  self: ['GET /users/{user_id}', 'PUT /users/{user_id}', 'PUT /users/{user_id}/password', 'PUT /users/{user_id}/cli_secret'],
  limitedGuest: [
    `GET ${P}`,
    `GET ${P}/summary`,
    `GET ${N}/repositories`,
    `GET ${R}`,
    `GET ${R}/artifacts`,
    `GET ${P}/artifacts`,
    `GET ${A}`,
    `GET ${A}/tags`,
    `GET ${A}/accessories`,
    `GET ${A}/additions/vulnerabilities`,
    `GET ${A}/additions/{addition}`,
    'GET /labels/{label_id}',
  ],
  guest: [
    `GET ${P}/metadatas/`,
    `GET ${P}/metadatas/{meta_name}`,
    `GET ${P}/members`,
    `GET ${P}/members/{mid}`,
    `GET ${P}/scanner`,
    `GET ${N}/logs`,
    `GET ${N}/auditlog-exts`,
    'GET /robots/{robot_id}',
    `GET ${P}/robots`,
    `GET ${P}/robots/{robot_id}`,
  ],
  developer: [
    `PUT ${R}`,
    `POST ${A}/tags`,
    `POST ${A}/labels`,
    `DELETE ${A}/labels/{label_id}`,
    `POST ${R}/artifacts`,
    `GET ${P}/immutabletagrules`,
    'GET /retentions/{id}',
    'GET /retentions/{id}/executions',
    'GET /retentions/{id}/executions/{eid}/tasks',
    'GET /retentions/{id}/executions/{eid}/tasks/{tid}',
  ],
  maintainer: [
    `PUT ${P}`,
    `POST ${P}/metadatas/`,
    `PUT ${P}/metadatas/{meta_name}`,
    `DELETE ${P}/metadatas/{meta_name}`,
    `POST ${P}/members`,
    `PUT ${P}/members/{mid}`,
    `DELETE ${P}/members/{mid}`,
    `DELETE ${R}`,
    `DELETE ${A}`,
    `DELETE ${A}/tags/{tag_name}`,
    `PUT ${P}/scanner`,
    `GET ${P}/scanner/candidates`,
    'PUT /labels/{label_id}',
    'PUT /robots/{robot_id}',
    `POST ${P}/robots`,
    `PUT ${P}/robots/{robot_id}`,
    `DELETE ${P}/robots/{robot_id}`,
    'PATCH /robots/{robot_id}',
    `POST ${P}/immutabletagrules`,
    `PUT ${P}/immutabletagrules/{immutable_rule_id}`,
    `DELETE ${P}/immutabletagrules/{immutable_rule_id}`,
    'PUT /retentions/{id}',
    'POST /retentions/{id}/executions',
    'PATCH /retentions/{id}/executions/{eid}',
    `GET ${W}/policies`,
    `POST ${W}/policies`,
    `GET ${W}/policies/{webhook_policy_id}`,
    `PUT ${W}/policies/{webhook_policy_id}`,
    `DELETE ${W}/policies/{webhook_policy_id}`,
    `GET ${W}/policies/{webhook_policy_id}/executions`,
    `GET ${W}/policies/{webhook_policy_id}/executions/{execution_id}/tasks`,
    `GET ${W}/policies/{webhook_policy_id}/executions/{execution_id}/tasks/{task_id}/log`,
    `GET ${W}/lasttrigger`,
    `GET ${W}/events`,
    `GET ${W}/jobs`,
    `GET ${H}/providers`,
    `GET ${H}/policies`,
    `POST ${H}/policies`,
    `GET ${HP}`,
    `PUT ${HP}`,
    `POST ${HP}`,
    `DELETE ${HP}`,
    `GET ${HP}/executions`,
    `GET ${HP}/executions/{execution_id}`,
    `PATCH ${HP}/executions/{execution_id}`,
    `GET ${HP}/executions/{execution_id}/tasks`,
    `GET ${HP}/executions/{execution_id}/tasks/{task_id}/logs`,
  ],
  projectAdmin: [`DELETE ${P}`, `GET ${P}/_deletable`],
  system: [
    'POST /projects',
    'GET /users',
    'POST /users',
    'DELETE /users/{user_id}',
    'PUT /users/{user_id}/sysadmin',
    'GET /robots',
    'GET /quotas',
    'GET /quotas/{id}',
    'PUT /quotas/{id}',
    'GET /replication/adapters',
    'GET /replication/adapterinfos',
    'GET /registries',
    'POST /registries',
    'POST /registries/ping',
    'GET /registries/{id}',
    'GET /registries/{id}/info',
    'PUT /registries/{id}',
    'DELETE /registries/{id}',
    'GET /replication/policies',
    'POST /replication/policies',
    'GET /replication/policies/{id}',
    'PUT /replication/policies/{id}',
    'DELETE /replication/policies/{id}',
    'GET /replication/executions',
    'POST /replication/executions',
    'GET /replication/executions/{id}',
    'PUT /replication/executions/{id}',
    'GET /replication/executions/{id}/tasks',
    'GET /replication/executions/{id}/tasks/{task_id}/log',
    ...['gc', 'purgeaudit'].flatMap((name) => {
      const one = name === 'gc' ? '{gc_id}' : '{purge_id}'
      const at = `/system/${name}`
      return [
        `GET ${at}`,
        `GET ${at}/schedule`,
        `POST ${at}/schedule`,
        `PUT ${at}/schedule`,
        `GET ${at}/${one}`,
        `PUT ${at}/${one}`,
        `GET ${at}/${one}/log`,
      ]
    }),
    'GET /p2p/preheat/providers',
    `POST ${I}/ping`,
    `GET ${I}`,
    `POST ${I}`,
    `GET ${I}/{preheat_instance_name}`,
    `PUT ${I}/{preheat_instance_name}`,
    `DELETE ${I}/{preheat_instance_name}`,
    'GET /configurations',
    'GET /internalconfig',
    'PUT /configurations',
    'GET /usergroups',
    'POST /usergroups',
    'GET /usergroups/{group_id}',
    'PUT /usergroups/{group_id}',
    'DELETE /usergroups/{group_id}',
    'POST /ldap/ping',
    'GET /ldap/users/search',
    'POST /ldap/users/import',
    'GET /ldap/groups/search',
    'GET /jobservice/pools',
    'GET /jobservice/pools/{pool_id}/workers',
    'PUT /jobservice/jobs/{job_id}',
    'GET /jobservice/jobs/{job_id}/log',
    'GET /jobservice/queues',
    'PUT /jobservice/queues/{job_type}',
    'GET /schedules',
    'POST /system/oidc/ping',
    'GET /systeminfo/volumes',
  ],
}

/** What the system robot may do besides what every account may: it lists people and audit, and reads all projects' artifacts. */
const SYSTEM_ROBOT: readonly string[] = ['GET /users', 'GET /ldap/users/search', `GET ${R}/artifacts`, `GET ${P}/artifacts`, `GET ${A}`]
const NEVER = 999_999
/** Passes no schema: whoever gets past the guard is told so, and nothing is changed. */
const NONSENSE = {
  metadata: 7,
  hard: 7,
  filters: 7,
  description: 7,
  name: 7,
  dry_run: 7,
  secret: [],
  action: 7,
  id: 'x',
  uuid: 7,
  permissions: 7,
  rules: 7,
  schedule: 7,
  policy_id: 'x',
  role_id: 'x',
  nonsense: 7,
  group_name: 7,
  ldap_uid_list: 7,
  ldap_scope: 'x',
  url: 7,
  new_password: 7,
  email: 7,
  sysadmin_flag: 7,
  username: 7,
  project_name: 7,
}

let origin: TestOrigin
const credentials = new Map<Who, string>()
/** What stands for the parameters of a path. */
const values: Record<string, string | number> = {
  project_name_or_id: 'team',
  project_name: 'team',
  repository_name: 'app',
  reference: 'v1',
  addition: 'build_history',
  meta_name: 'public',
  pool_id: 'all',
  job_type: 'all',
  tag_name: 'none',
  digest: 'sha256:none',
}

async function make(path: string, json: unknown): Promise<{ id: number; body: string }> {
  const response = await origin.ask('POST', `/api/v2.0${path}`, { credentials: `admin:${PASSWORD}`, json })
  const body = await response.text()
  expect({ path, status: response.status, body: response.status === 201 ? '' : body }).toEqual({ path, status: 201, body: '' })
  return { id: Number(response.headers.get('Location')?.split('/').at(-1)), body }
}

beforeAll(async () => {
  origin = await openTestOrigin()
  credentials.set('admin', `admin:${PASSWORD}`)
  const team = (await make('/projects', { project_name: 'team' })).id
  await make('/projects', { project_name: 'other' })
  const roles = { limitedGuest: 5, guest: 3, developer: 2, maintainer: 4, projectAdmin: 1, otherAdmin: 1 } as const
  for (const [who, role] of Object.entries(roles) as [keyof typeof roles, number][]) {
    const username = who.toLowerCase()
    values.user_id = (await make('/users', { username, password: 'Passw0rd-1', email: `${username}@example.com`, realname: who })).id
    const member = await make(`/projects/${who === 'otherAdmin' ? 'other' : 'team'}/members`, { role_id: role, member_user: { username } })
    if (who === 'guest') values.mid = member.id
    credentials.set(who, `${username}:Passw0rd-1`)
  }
  values.user_id = (await make('/users', { username: 'someone', password: 'Passw0rd-1', email: 'someone@example.com', realname: 'S' })).id
  await new TestRepository(origin, 'team/app').image('layer', { history: [] }, 'v1')
  values.label_id = (await make('/labels', { name: 'l', scope: 'p', project_id: team })).id
  values.webhook_policy_id = (
    await make('/projects/team/webhook/policies', {
      name: 'w',
      targets: [{ type: 'http', address: 'https://x.example.com' }],
      event_types: ['PUSH_ARTIFACT'],
    })
  ).id
  values.retention_id = (
    await make('/retentions', { algorithm: 'or', scope: { level: 'project', ref: team }, rules: [], trigger: { kind: 'Schedule' } })
  ).id
  values.team = team
  const robots = {
    keeper: { name: 'keeper', level: 'project', duration: -1, permissions: [PUSHING] },
    projectRobot: { name: 'ci', level: 'project', duration: -1, permissions: [PUSHING] },
    expiredRobot: { name: 'late', level: 'project', duration: 1, permissions: [PUSHING] },
    disabledRobot: { name: 'off', level: 'project', duration: -1, disable: true, permissions: [PUSHING] },
    systemRobot: {
      name: 'reader',
      level: 'system',
      duration: -1,
      permissions: [
        grant('/', 'system', [['user', 'list']]),
        grant('*', 'project', [
          ['artifact', 'list'],
          ['artifact', 'read'],
        ]),
      ],
    },
  }
  for (const [who, robot] of Object.entries(robots) as [keyof typeof robots, object][]) {
    const { id, body } = await make('/robots', robot)
    const { name, secret } = JSON.parse(body) as { name: string; secret: string }
    if (who === 'keeper') values.robot_id = id
    else credentials.set(who, `${name}:${secret}`)
  }
  origin.clock.ahead = 2 * 86_400_000
}, 60_000)

afterAll(async () => {
  await origin.close()
})

/** What is deleted is never there; what is read or changed is. */
function pathOf(method: string, path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const text = name.endsWith('_id') || name === 'id' || name === 'mid' || name === 'eid' || name === 'tid'
    if (method === 'DELETE' && text && !name.startsWith('project')) return String(NEVER)
    if (method === 'DELETE' && name === 'reference' && path.endsWith('{reference}')) return 'none'
    if (method === 'DELETE' && name === 'repository_name' && path.endsWith('{repository_name}')) return 'none'
    if (name === 'id' && path.startsWith('/retentions')) return String(values.retention_id)
    if (name === 'id' && path.startsWith('/quotas')) return String(values.team)
    return encodeURIComponent(values[name] ?? NEVER)
  })
}

const grant = (namespace: string, kind: string, access: [string, string][]) => ({
  kind,
  namespace,
  access: access.map(([resource, action]) => ({ resource, action })),
})
const PUSHING = grant('team', 'project', [
  ['repository', 'pull'],
  ['repository', 'push'],
])

/** Bodies of wishes that are refused only after they are read. */
const BODIES: Readonly<Record<string, (who: Who) => object>> = {
  'POST /projects': (who) => ({ project_name: `made-by-${who.toLowerCase()}` }),
  'PUT /users/{user_id}': () => ({ email: 'someone@example.com', realname: 'S', comment: '' }),
  'PUT /users/{user_id}/password': () => ({ old_password: 'Passw0rd-1', new_password: 'Passw0rd-2' }),
  'PUT /users/{user_id}/cli_secret': () => ({ secret: '' }),
  'PUT /robots/{robot_id}': () => ({ level: 'project', permissions: [PUSHING] }),
  [`PUT ${P}/robots/{robot_id}`]: () => ({ disable: false }),
  'PATCH /robots/{robot_id}': () => ({}),
  'PUT /retentions/{id}': () => ({ algorithm: 'or', scope: { level: 'project', ref: values.team }, rules: [], trigger: { kind: 'Schedule' } }),
  'POST /retentions/{id}/executions': () => ({ dry_run: true }),
  'PATCH /retentions/{id}/executions/{eid}': () => ({ action: 'stop' }),
}

async function outcome(operation: string, who: Who): Promise<Outcome> {
  const [method = '', template = ''] = operation.split(' ')
  const path = pathOf(method, template)
  const credential = credentials.get(who)
  const body = method === 'GET' || method === 'HEAD' || method === 'DELETE' ? undefined : (BODIES[operation]?.(who) ?? NONSENSE)
  const response = await origin.ask(method, `/api/v2.0${path}`, { ...(credential && { credentials: credential }), ...(body && { json: body }) })
  const text = await response.text()
  expect(response.status, `${operation} ${who} ${text}`).toBeLessThan(500)
  if (response.status === 401) return 'login'
  if (response.status === 403) return 'denied'
  // What is there and said not to be is hidden.
  const there = [values.label_id, values.robot_id, values.retention_id, values.team].join('|')
  const hides = new RegExp(`"(project team|(label|robot|retention policy|retention|quota|project) (${there})) not found"`).test(text)
  return response.status === 404 && hides ? 'hidden' : 'ok'
}

const BARRED: readonly Who[] = ['expiredRobot', 'disabledRobot']
const UNASKED = ['GET /health', 'GET /ping']

function expected(operation: string, least: Least, who: Who): Outcome {
  if (UNASKED.includes(operation)) return 'ok'
  if (BARRED.includes(who)) return 'login'
  if (least === 'everyone') return 'ok'
  if (who === 'anonymous') return 'login'
  if (least === 'account' || who === 'admin') return 'ok'
  if (who === 'systemRobot') return SYSTEM_ROBOT.includes(operation) ? 'ok' : 'denied'
  if (least === 'system' || least === 'self') return 'denied'
  if (who === 'otherAdmin') return 'hidden'
  if (who === 'projectRobot') return 'denied'
  return ROLES.indexOf(who as (typeof ROLES)[number]) >= ROLES.indexOf(least) ? 'ok' : 'denied'
}

const ROWS = (Object.entries(TABLE) as [Least, readonly string[]][]).flatMap(([least, operations]) =>
  operations.map((operation) => ({ least, operation })),
)

describe('every operation × everybody', () => {
  test('has a row', () => {
    const served = harborApi(origin.origin.services).openAPIRegistry.definitions.flatMap((definition) =>
      definition.type === 'route' ? [`${definition.route.method.toUpperCase()} ${definition.route.path}`] : [],
    )
    expect(ROWS.map(({ operation }) => operation).sort()).toEqual([...served].sort())
  })

  test.each(ROWS)('$operation needs $least', async ({ operation, least }) => {
    const is: Record<string, Outcome> = {}
    const should: Record<string, Outcome> = {}
    for (const who of WHO) {
      is[who] = await outcome(operation, who)
      should[who] = expected(operation, least, who)
    }
    expect(is).toEqual(should)
  })
})
