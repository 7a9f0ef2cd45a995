import { createRoute, z } from '@hono/zod-openapi'
import { deleteRobot, findRobotById, listRobots, type Robot as Row, updateRobot } from '../../schema/robots.ts'
import { robotName } from '../identity/robot-names.ts'
import { empty, json, refusals } from './answers.ts'
import { type ApiParts, BASE_PATH, id, instant, routes } from './environment.ts'
import { badField, notFound } from './errors.ts'
import { describePage } from './paging.ts'
import { readPermissions, requireNoLonger } from './robot-permissions.ts'
import { Description, expirySeconds, makeRobot, Name, Robot, RobotCreated, showRobot } from './robot-shapes.ts'
import { SEARCHES } from './searches.ts'

// Robots of a project as Harbor had them before robots of the system came; its own contract has left these paths out since, and clients have not.

const tags = ['robotv1']
const PATH = '/projects/{project_name_or_id}/robots'
const params = z.object({ project_name_or_id: z.string().max(255) })
const one = params.extend({ robot_id: id })
const DAY_S = 86_400

/** The resource alone, or as it was written in the beginning: `/project/3/repository`. */
const Resource = z
  .string()
  .max(255)
  .transform((resource) => resource.replace(/^\/project\/[^/]+\//, ''))
const AccessV1 = z.object({ resource: Resource, action: z.string().max(64), effect: z.enum(['allow', '']).optional() })

const NewRobotV1 = z
  .object({
    name: Name,
    description: Description.nullish(),
    /** Seconds since the epoch; -1: never; absent or 0: after the system's own time. */
    expires_at: z.number().int().min(-1).max(Number.MAX_SAFE_INTEGER).nullish(),
    access: z.array(AccessV1).min(1, 'needs one at least'),
  })
  .openapi('RobotCreateV1')

const RobotChangeV1 = z.object({
  disable: z
    .boolean()
    .nullish()
    .transform((disabled) => disabled ?? false),
  description: Description.nullish(),
})

export const projectRobots = ({ services, guard }: ApiParts) => {
  const { db, clock } = services

  const list = createRoute({
    method: 'get',
    path: PATH,
    tags,
    operationId: 'ListRobotV1',
    summary: 'The robots of a project',
    middleware: guard.project('robot', 'list'),
    request: { params, query: z.object(SEARCHES.robotsOfProject.query) },
    responses: { 200: json(z.array(Robot), 'One page of them.'), ...refusals(400, 401, 403, 404) },
  })

  const create = createRoute({
    method: 'post',
    path: PATH,
    tags,
    operationId: 'CreateRobotV1',
    summary: 'Creates a robot of a project; its secret is in this answer and in no other',
    middleware: guard.project('robot', 'create'),
    request: { params, body: { required: true, content: { 'application/json': { schema: NewRobotV1 } } } },
    responses: { 201: json(RobotCreated, 'The robot with its secret.'), ...refusals(400, 401, 403, 404, 409) },
  })

  const get = createRoute({
    method: 'get',
    path: `${PATH}/{robot_id}`,
    tags,
    operationId: 'GetRobotByIDV1',
    summary: 'One robot of a project',
    middleware: guard.project('robot', 'read'),
    request: { params: one },
    responses: { 200: json(Robot, 'The robot.'), ...refusals(400, 401, 403, 404) },
  })

  const update = createRoute({
    method: 'put',
    path: `${PATH}/{robot_id}`,
    tags,
    operationId: 'UpdateRobotV1',
    summary: 'Disables or enables a robot of a project',
    middleware: guard.project('robot', 'update'),
    request: { params: one, body: { required: true, content: { 'application/json': { schema: RobotChangeV1 } } } },
    responses: { 200: empty('Changed.'), ...refusals(400, 401, 403, 404) },
  })

  const remove = createRoute({
    method: 'delete',
    path: `${PATH}/{robot_id}`,
    tags,
    operationId: 'DeleteRobotV1',
    summary: 'Takes a robot of a project away',
    middleware: guard.project('robot', 'delete'),
    request: { params: one },
    responses: { 200: empty('Taken away.'), ...refusals(400, 401, 403, 404) },
  })

  /** @throws ApiError NOT_FOUND: also for a robot of another project, or of the system */
  const found = async (projectId: number, robotId: number): Promise<Row> => {
    const row = await findRobotById(db, robotId)
    if (row?.projectId !== projectId) throw notFound(`robot ${robotId}`)
    return row
  }

  /** As the field says it, or as the system does where it says nothing. @throws ApiError BAD_REQUEST for a time that has been */
  const lifetime = async (expiresAt: number | null | undefined): Promise<{ readonly duration: number; readonly expiresAt: number | undefined }> => {
    const days = expiresAt ? undefined : await services.live.get('robot_token_duration')
    if (expiresAt === -1 || days === -1) return { duration: -1, expiresAt: undefined }
    const end = days === undefined ? (expiresAt ?? 0) * 1000 : clock.now() + days * DAY_S * 1000
    if (end <= clock.now()) throw badField('expires_at', 'is past: give seconds since the epoch, or -1 for ever')
    return { duration: Math.ceil((end - clock.now()) / 1000 / DAY_S), expiresAt: end }
  }

  return routes()
    .openapi(list, async (c) => {
      const query = c.req.valid('query')
      const { items, total } = await listRobots(db, { projectId: c.var.project.id }, SEARCHES.robotsOfProject.listing(query))
      describePage(c, query, total, SEARCHES.robotsOfProject)
      return c.json(await Promise.all(items.map((row) => showRobot(services, row))), 200)
    })
    .openapi(create, async (c) => {
      const { principal, project } = c.var
      const { name, description, expires_at, access } = c.req.valid('json')
      const permissions = await readPermissions(services, principal, [{ kind: 'project', namespace: project.name, access }], project)
      const life = await lifetime(expires_at)
      requireNoLonger(principal, life.expiresAt)
      const robot = { name, description: description ?? '', disable: false, ...life }
      const { row, secret } = await makeRobot(services, { robot, project, permissions }, principal.id)
      c.header('Location', `${BASE_PATH}/projects/${project.id}/robots/${row.id}`)
      return c.json({ id: row.id, name: robotName(row), secret, creation_time: instant(row.createdAt), expires_at: expirySeconds(row) }, 201)
    })
    .openapi(get, async (c) => c.json(await showRobot(services, await found(c.var.project.id, c.req.valid('param').robot_id)), 200))
    .openapi(update, async (c) => {
      const row = await found(c.var.project.id, c.req.valid('param').robot_id)
      const { disable: disabled, description } = c.req.valid('json')
      await updateRobot(db, row.id, { disabled, description: description ?? undefined }, c.var.principal.id)
      return c.body(null, 200)
    })
    .openapi(remove, async (c) => {
      const row = await found(c.var.project.id, c.req.valid('param').robot_id)
      await deleteRobot(db, row.id, c.var.principal.id)
      return c.body(null, 200)
    })
}
