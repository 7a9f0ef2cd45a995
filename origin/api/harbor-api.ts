import type { OpenAPIHono } from '@hono/zod-openapi'
import { HTTPException } from 'hono/http-exception'
import { getPath } from 'hono/utils/url'
import { CSRF_HEADER } from '../identity/sessions/sessions.ts'
import type { OriginServices } from '../services.ts'
import { accessories } from './accessory.ts'
import { additions } from './additions.ts'
import { artifacts } from './artifact.ts'
import { artifactCopies } from './artifact-copy.ts'
import { artifactLabels } from './artifact-labels.ts'
import { audited } from './audited.ts'
import { auditLogs } from './auditlog.ts'
import { limitedBody } from './body-limit.ts'
import { configurations } from './configure.ts'
import { description } from './description.ts'
import { type ApiParts, BASE_PATH, routes } from './environment.ts'
import { ApiError, toApiError } from './errors.ts'
import { garbageCollection } from './gc.ts'
import { Guard } from './guard.ts'
import { health } from './health.ts'
import { icons } from './icon.ts'
import { immutableTagRules } from './immutable.ts'
import { jobService } from './jobservice.ts'
import { labels } from './label.ts'
import { ldap } from './ldap.ts'
import { REQUEST_ID_LIMIT } from './limits.ts'
import { members } from './member.ts'
import { methodsAt } from './methods.ts'
import { notYet } from './not-yet.ts'
import { oidc } from './oidc.ts'
import { permissions } from './permissions.ts'
import { ping } from './ping.ts'
import { preheatPolicies } from './preheat.ts'
import { preheatInstances } from './preheat-instances.ts'
import { projects } from './project.ts'
import { projectScanner } from './project-scanner.ts'
import { projectSummary } from './project-summary.ts'
import { projectMetadata } from './projectMetadata.ts'
import { auditPurges } from './purge.ts'
import { quotas } from './quota.ts'
import { registries } from './registry.ts'
import { replication } from './replication.ts'
import { repositories } from './repository.ts'
import { retention } from './retention.ts'
import { robots } from './robot.ts'
import { projectRobots } from './robotv1.ts'
import { schedules } from './schedule.ts'
import { search } from './search.ts'
import { statistics } from './statistic.ts'
import { systemInfo } from './systeminfo.ts'
import { users } from './user.ts'
import { userGroups } from './usergroup.ts'
import type { ApiEnv } from './variables.ts'
import { webhooks } from './webhook.ts'

/** Harbor's API over this origin, to be mounted at BASE_PATH: a file for each tag of the contract. */
export function harborApi(services: OriginServices): OpenAPIHono<ApiEnv> {
  const parts: ApiParts = { services, guard: new Guard(services) }
  const api = routes()
  api.onError((error, c) => {
    const known = error instanceof HTTPException ? fromHono(error) : toApiError(error)
    if (known === undefined) services.log.error({ err: error, requestId: c.var.requestId, method: c.req.method, path: c.req.path }, 'the API failed')
    const answer = known ?? new ApiError('UNKNOWN', 'Something went wrong here; the log has it under the id of this request.')
    for (const [name, value] of Object.entries(answer.headers)) c.header(name, value)
    // Browsers that fetch say so, and are spared the browser's own login box.
    if (answer.status === 401 && c.req.header('X-Requested-With') === undefined) c.header('WWW-Authenticate', 'Basic realm="Atoll", charset="UTF-8"')
    return c.json(answer.toJSON(), answer.status)
  })
  api.use(async (c, next) => {
    const given = c.req.header('X-Request-Id')
    c.set('requestId', given !== undefined && /^[\x21-\x7e]+$/.test(given) ? given.slice(0, REQUEST_ID_LIMIT) : services.newId())
    c.header('X-Request-Id', c.var.requestId)
    c.header('Cache-Control', 'no-store')
    const csrf = services.sessions.csrfToken(c.req.raw)
    if (csrf !== undefined) c.header(CSRF_HEADER, csrf)
    await next()
  })
  api.use(limitedBody)
  // These two answer whoever asks and whatever the database does.
  api.route('/', ping()).route('/', health(parts)).route('/', description(api))
  api.use(async (c, next) => {
    c.set('principal', await services.authenticate(c.req.raw))
    await next()
  })
  api.use(audited(services))
  for (const tag of [
    projects,
    projectSummary,
    projectMetadata,
    members,
    repositories,
    artifacts,
    artifactLabels,
    artifactCopies,
    accessories,
    additions,
    projectScanner,
    icons,
    labels,
    permissions,
    users,
    robots,
    projectRobots,
    quotas,
    registries,
    replication,
    statistics,
    search,
    garbageCollection,
    auditLogs,
    auditPurges,
    webhooks,
    configurations,
    userGroups,
    ldap,
    preheatInstances,
    preheatPolicies,
    jobService,
    schedules,
    oidc,
    immutableTagRules,
    retention,
    systemInfo,
  ])
    api.route('/', tag(parts))
  api.route('/', notYet())
  let known: ReturnType<typeof methodsAt> | undefined
  api.all('*', ({ req: { method, path } }) => {
    known ??= methodsAt(api)
    const methods = known(path.startsWith(BASE_PATH) ? path.slice(BASE_PATH.length) : path)
    if (methods.length === 0) throw new ApiError('NOT_FOUND', `There is no ${method} ${path} in this API.`)
    const Allow = methods.join(', ')
    throw new ApiError('METHOD_NOT_ALLOWED', `There is no ${method} at ${path}, but ${Allow}.`, { headers: { Allow } })
  })
  return api
}

/**
 * The path of a request as the contract writes it, for whoever mounts this API. Clients leave the slash at the end away, or add one: the contract has
 * one in a single place.
 */
export function contractPath(request: Request): string {
  const path = getPath(request).replace(/\/+$/, '')
  if (/\/projects\/[^/]+\/metadatas$/.test(path)) return `${path}/`
  // Its page names what it needs from where it is.
  return path.endsWith('/docs') ? getPath(request) : path
}

/** What the framework refuses by itself: malformed JSON, wrong media types. */
function fromHono({ status, message }: HTTPException): ApiError {
  if (status === 415) return new ApiError('UNSUPPORTED_MEDIA_TYPE', 'Send the body with Content-Type: application/json.')
  return new ApiError('BAD_REQUEST', message)
}
