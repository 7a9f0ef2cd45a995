import { createRoute, z } from '@hono/zod-openapi'
import type { Principal, ProjectFacts } from '../../policy/facts.ts'
import { deleteRobot, findRobotById, listRobots, type Robot as Row, setRobotSecret, updateRobot } from '../../schema/robots.ts'
import { robotName } from '../identity/robot-names.ts'
import { empty, json, refusals } from './answers.ts'
import { type ApiParts, BASE_PATH, id, instant, routes } from './environment.ts'
import { ApiError, badField, notFound } from './errors.ts'
import { describePage } from './paging.ts'
import { readPermissions, requireNoLonger, requireNoMore, samePermissions, showPermissions } from './robot-permissions.ts'
import { expiryAfter, expirySeconds, makeRobot, NewRobot, Robot, RobotChange, RobotCreated, RobotSecret, Secret, showRobot } from './robot-shapes.ts'
import { SEARCHES } from './searches.ts'

const tags = ['robot']
const params = z.object({ robot_id: id })
export const robots = ({ services, guard }: ApiParts) => {
  const { db, clock, robotSecrets } = services

  const list = createRoute({
    method: 'get',
    path: '/robots',
    tags,
    operationId: 'ListRobot',
    summary: 'Robots of the system, or with q=Level=project,ProjectID=… those of a project',
    middleware: guard.account,
    request: { query: z.object(SEARCHES.robots.query) },
    responses: { 200: json(z.array(Robot), 'One page of them.'), ...refusals(400, 401, 403, 404) },
  })

  const create = createRoute({
    method: 'post',
    path: '/robots',
    tags,
    operationId: 'CreateRobot',
    summary: 'Creates a robot; its secret is in this answer and in no other',
    middleware: guard.account,
    request: { body: { required: true, content: { 'application/json': { schema: NewRobot } } } },
    responses: { 201: json(RobotCreated, 'The robot with its secret.'), ...refusals(400, 401, 403, 404, 409) },
  })

  const get = createRoute({
    method: 'get',
    path: '/robots/{robot_id}',
    tags,
    operationId: 'GetRobotByID',
    summary: 'One robot',
    middleware: guard.account,
    request: { params },
    responses: { 200: json(Robot, 'The robot.'), ...refusals(401, 403, 404) },
  })

  const update = createRoute({
    method: 'put',
    path: '/robots/{robot_id}',
    tags,
    operationId: 'UpdateRobot',
    summary: 'Changes what the body names; name and level stay',
    middleware: guard.account,
    request: { params, body: { required: true, content: { 'application/json': { schema: RobotChange } } } },
    responses: { 200: empty('Changed.'), ...refusals(400, 401, 403, 404, 409) },
  })

  const refresh = createRoute({
    method: 'patch',
    path: '/robots/{robot_id}',
    tags,
    operationId: 'RefreshSec',
    summary: 'Gives a robot a new secret: the one in the body, or a random one that only this answer holds',
    middleware: guard.account,
    request: { params, body: { required: true, content: { 'application/json': { schema: z.object({ secret: Secret.nullish() }) } } } },
    responses: { 200: json(RobotSecret, 'The random secret.'), ...refusals(400, 401, 403, 404) },
  })

  const remove = createRoute({
    method: 'delete',
    path: '/robots/{robot_id}',
    tags,
    operationId: 'DeleteRobot',
    summary: 'Takes a robot away',
    middleware: guard.account,
    request: { params },
    responses: { 200: empty('Taken away.'), ...refusals(400, 401, 403, 404) },
  })

  /** The robot, for somebody who may do this to the robots of its project or of the system. */
  const reach = async (principal: Principal, robotId: number, action: string): Promise<{ row: Row; project: ProjectFacts | undefined }> => {
    const row = await findRobotById(db, robotId)
    if (row === undefined) throw notFound(`robot ${robotId}`)
    const target = { resource: 'robot', action }
    if (row.projectId === null) {
      guard.requireSystem(principal, target)
      return { row, project: undefined }
    }
    const project = await guard.requireProject(principal, target, row.projectId).catch((error: unknown) => {
      throw error instanceof ApiError && error.status === 404 ? notFound(`robot ${robotId}`) : error
    })
    return { row, project }
  }

  return routes()
    .openapi(list, async (c) => {
      const { principal } = c.var
      const query = c.req.valid('query')
      const q = SEARCHES.robots.conditions(query)
      // 0 is no project, as in Harbor.
      const projectId = q.project_id === 0 ? undefined : q.project_id
      const level = q.level ?? (projectId === undefined ? 'system' : 'project')
      if (level !== 'system' && level !== 'project') throw badField('q', 'Level is system or project')
      if (level === 'system') guard.requireSystem(principal, { resource: 'robot', action: 'list' })
      else if (projectId === undefined) throw badField('q', 'Level=project needs ProjectID=')
      else await guard.requireProject(principal, { resource: 'robot', action: 'list' }, projectId)
      const filter = { projectId: level === 'system' ? null : projectId }
      const { items, total } = await listRobots(db, filter, SEARCHES.robots.listing(query))
      describePage(c, query, total, SEARCHES.robots)
      return c.json(await Promise.all(items.map((row) => showRobot(services, row))), 200)
    })
    .openapi(create, async (c) => {
      const { principal } = c.var
      const body = c.req.valid('json')
      const target = { resource: 'robot', action: 'create' }
      const namespace = body.permissions[0]?.namespace ?? ''
      const project = body.level === 'project' ? await guard.requireProject(principal, target, namespace) : undefined
      if (project === undefined) guard.requireSystem(principal, target)
      const permissions = await readPermissions(services, principal, body.permissions, project)
      const duration = body.duration ?? (await services.live.get('robot_token_duration'))
      const expiresAt = expiryAfter(clock.now(), duration)
      requireNoLonger(principal, expiresAt)
      const robot = {
        ...body,
        description: body.description ?? '',
        disable: body.disable ?? false,
        expiresAt,
        duration,
      }
      const { row, secret } = await makeRobot(services, { robot, project, permissions }, principal.id)
      c.header('Location', `${BASE_PATH}/robots/${row.id}`)
      return c.json({ id: row.id, name: robotName(row), secret, creation_time: instant(row.createdAt), expires_at: expirySeconds(row) }, 201)
    })
    .openapi(get, async (c) => c.json(await showRobot(services, (await reach(c.var.principal, c.req.valid('param').robot_id, 'read')).row), 200))
    .openapi(update, async (c) => {
      const { principal } = c.var
      const body = c.req.valid('json')
      const { row, project } = await reach(principal, c.req.valid('param').robot_id, 'update')
      if (body.level !== row.level) throw badField('level', 'stays as it was made')
      if (body.name !== undefined && body.name !== row.name && body.name !== robotName(row)) {
        throw badField('name', 'stays as it was made')
      }
      // As they are shown they may be sent back by whoever may change the robot, whatever he holds himself; of one whose projects are gone, none.
      const unchanged = samePermissions(body.permissions, await showPermissions(services, row.permissions))
      if (!unchanged && body.permissions.length === 0) throw badField('permissions', 'needs one at least')
      const duration = body.duration ?? undefined
      const renewed = duration !== undefined && duration !== row.duration
      const expiresAt = renewed ? expiryAfter(row.createdAt, duration) : undefined
      if (renewed) requireNoLonger(principal, expiresAt)
      await updateRobot(
        db,
        row.id,
        {
          description: body.description,
          disabled: body.disable,
          permissions: unchanged ? undefined : await readPermissions(services, principal, body.permissions, project),
          ...(renewed && { duration, expiresAt: expiresAt ?? null }),
        },
        principal.id,
      )
      return c.body(null, 200)
    })
    .openapi(refresh, async (c) => {
      const { principal } = c.var
      const { row } = await reach(principal, c.req.valid('param').robot_id, 'update')
      await requireNoMore(services, principal, row.permissions)
      const chosen = c.req.valid('json').secret ?? ''
      if (chosen !== '') {
        await setRobotSecret(db, row.id, await robotSecrets.hash(chosen), principal.id)
        return c.json({}, 200)
      }
      const { secret, hash } = await robotSecrets.create()
      await setRobotSecret(db, row.id, hash, principal.id)
      return c.json({ secret }, 200)
    })
    .openapi(remove, async (c) => {
      const { row } = await reach(c.var.principal, c.req.valid('param').robot_id, 'delete')
      await deleteRobot(db, row.id, c.var.principal.id)
      return c.body(null, 200)
    })
}
