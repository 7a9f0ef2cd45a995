import { createRoute, z } from '@hono/zod-openapi'
import {
  createReplicationPolicy,
  deleteReplicationPolicy,
  findReplicationPolicy,
  listReplicationPolicies,
  type ReplicationPolicy,
  updateReplicationPolicy,
} from '../../schema/replication.ts'
import { findExecution, listExecutions, type ReplicationExecution, startExecution, stopExecution } from '../../schema/replication-executions.ts'
import { planReplication } from '../../schema/replication-jobs.ts'
import { findTask, listTasks, readTaskLog } from '../../schema/replication-tasks.ts'
import { empty, json, refusals } from './answers.ts'
import { type ApiParts, created, id, plainText, routes } from './environment.ts'
import { badField, notFound } from './errors.ts'
import { heldBack } from './held-back.ts'
import { describePage, pageQuery } from './paging.ts'
import { TRIGGERS } from './registry-types.ts'
import { Execution, Policy, PolicyRequest, readPolicy, StartRequest, showExecution, showPolicy, showTask, Task } from './replication-shapes.ts'
import { SEARCHES } from './searches.ts'

const tags = ['replication']
const params = z.object({ id })
/** Executions and tasks have one order: these keys are taken so that clients which name them get an answer. */
const EXECUTION_STATUS = z.enum(['InProgress', 'Succeed', 'Failed', 'Stopped'])
const TASK_STATUS = z.enum(['Pending', 'InProgress', 'Succeed', 'Failed', 'Stopped'])

export const replication = ({ services, guard }: ApiParts) => {
  const { db } = services

  const policies = createRoute({
    method: 'get',
    path: '/replication/policies',
    tags,
    operationId: 'listReplicationPolicies',
    summary: 'The rules',
    middleware: guard.system('replication-policy', 'list'),
    request: { query: z.object({ ...SEARCHES.replicationPolicies.query, name: z.string().max(255).optional() }) },
    responses: { 200: json(z.array(Policy), 'One page of them.'), ...refusals(400, 401, 403) },
  })

  const createPolicy = createRoute({
    method: 'post',
    path: '/replication/policies',
    tags,
    operationId: 'createReplicationPolicy',
    summary: 'Makes a rule',
    middleware: guard.system('replication-policy', 'create'),
    request: { body: { required: true, content: { 'application/json': { schema: PolicyRequest } } } },
    responses: { 201: empty('Its address is in Location.'), ...refusals(400, 401, 403, 409) },
  })

  const getPolicy = createRoute({
    method: 'get',
    path: '/replication/policies/{id}',
    tags,
    operationId: 'getReplicationPolicy',
    summary: 'One rule',
    middleware: guard.system('replication-policy', 'read'),
    request: { params },
    responses: { 200: json(Policy, 'The rule.'), ...refusals(401, 403, 404) },
  })

  const updatePolicy = createRoute({
    method: 'put',
    path: '/replication/policies/{id}',
    tags,
    operationId: 'updateReplicationPolicy',
    summary: 'Puts a rule in the place of this one',
    middleware: guard.system('replication-policy', 'update'),
    request: { params, body: { required: true, content: { 'application/json': { schema: PolicyRequest } } } },
    responses: { 200: empty('Changed.'), ...refusals(400, 401, 403, 404, 409) },
  })

  const deletePolicy = createRoute({
    method: 'delete',
    path: '/replication/policies/{id}',
    tags,
    operationId: 'deleteReplicationPolicy',
    summary: 'Deletes a rule that does not run now, with the record of its executions',
    middleware: guard.system('replication-policy', 'delete'),
    request: { params },
    responses: { 200: empty('Deleted.'), ...refusals(401, 403, 404, 412) },
  })

  const executions = createRoute({
    method: 'get',
    path: '/replication/executions',
    tags,
    operationId: 'listReplicationExecutions',
    summary: 'What has run, the newest first',
    middleware: guard.system('replication', 'list'),
    request: {
      query: z.object({
        ...pageQuery,
        ...SEARCHES.replicationExecutions.query,
        policy_id: id.optional(),
        status: EXECUTION_STATUS.optional(),
        trigger: z.enum(TRIGGERS).optional(),
      }),
    },
    responses: { 200: json(z.array(Execution), 'One page of them.'), ...refusals(400, 401, 403) },
  })

  const start = createRoute({
    method: 'post',
    path: '/replication/executions',
    tags,
    operationId: 'startReplication',
    summary: 'Starts a rule now, or with `retry_of` only what failed in an execution of it',
    middleware: guard.system('replication', 'create'),
    request: {
      body: {
        required: true,
        content: {
          'application/json': {
            schema: StartRequest,
          },
        },
      },
    },
    responses: { 201: empty('Its address is in Location.'), ...refusals(400, 401, 403, 404) },
  })

  const getExecution = createRoute({
    method: 'get',
    path: '/replication/executions/{id}',
    tags,
    operationId: 'getReplicationExecution',
    summary: 'One execution',
    middleware: guard.system('replication', 'read'),
    request: { params },
    responses: { 200: json(Execution, 'The execution.'), ...refusals(401, 403, 404) },
  })

  const stop = createRoute({
    method: 'put',
    path: '/replication/executions/{id}',
    tags,
    operationId: 'stopReplication',
    summary: 'Stops an execution; what has arrived stays',
    middleware: guard.system('replication', 'create'),
    request: { params },
    responses: { 200: empty('Stopped, or at its end already.'), ...refusals(401, 403, 404) },
  })

  const tasks = createRoute({
    method: 'get',
    path: '/replication/executions/{id}/tasks',
    tags,
    operationId: 'listReplicationTasks',
    summary: 'What an execution does, resource by resource',
    middleware: guard.system('replication', 'list'),
    request: {
      params,
      query: z.object({
        ...pageQuery,
        ...SEARCHES.replicationTasks.query,
        status: TASK_STATUS.optional(),
        resource_type: z.string().max(64).optional(),
      }),
    },
    responses: { 200: json(z.array(Task), 'One page of them.'), ...refusals(400, 401, 403, 404) },
  })

  const log = createRoute({
    method: 'get',
    path: '/replication/executions/{id}/tasks/{task_id}/log',
    tags,
    operationId: 'getReplicationLog',
    summary: 'The log of a task',
    middleware: guard.system('replication', 'read'),
    request: { params: params.extend({ task_id: id }) },
    responses: { 200: { description: 'Its lines.', content: { 'text/plain': { schema: z.string() } } }, ...refusals(401, 403, 404) },
  })

  const policy = async (policyId: number): Promise<ReplicationPolicy> => {
    const row = await findReplicationPolicy(db, policyId)
    if (row === undefined) throw notFound(`replication policy ${policyId}`)
    return row
  }

  const execution = async (executionId: number): Promise<ReplicationExecution> => {
    const row = await findExecution(db, executionId)
    if (row === undefined) throw notFound(`replication execution ${executionId}`)
    return row
  }

  return routes()
    .openapi(policies, async (c) => {
      const query = c.req.valid('query')
      const { items, total } = await listReplicationPolicies(db, { name: query.name }, SEARCHES.replicationPolicies.listing(query))
      describePage(c, query, total, SEARCHES.replicationPolicies)
      const here = services.baseUrl(c.req.raw)
      return c.json(await Promise.all(items.map((row) => showPolicy(db, row, here))), 200)
    })
    .openapi(createPolicy, async (c) => {
      const { principal } = c.var
      const row = await createReplicationPolicy(
        db,
        { ...(await readPolicy(db, c.req.valid('json'), { absent: true })), creator: principal.id },
        principal.id,
      )
      return created(c, `/replication/policies/${row.id}`)
    })
    .openapi(getPolicy, async (c) => c.json(await showPolicy(db, await policy(c.req.valid('param').id), services.baseUrl(c.req.raw)), 200))
    .openapi(updatePolicy, async (c) => {
      const row = await policy(c.req.valid('param').id)
      // Go leaves out what is false.
      await updateReplicationPolicy(db, row.id, await readPolicy(db, c.req.valid('json'), { absent: false }), c.var.principal.id)
      return c.body(null, 200)
    })
    .openapi(deletePolicy, async (c) => {
      await deleteReplicationPolicy(db, c.req.valid('param').id, c.var.principal.id)
      return c.body(null, 200)
    })
    .openapi(executions, async (c) => {
      const query = c.req.valid('query')
      const filter = { policyId: query.policy_id, status: query.status, trigger: query.trigger }
      const { items, total } = await listExecutions(db, filter, SEARCHES.replicationExecutions.listing(query))
      describePage(c, query, total, SEARCHES.replicationExecutions)
      const held = await heldBack(db, items)
      return c.json(
        items.map((row) => showExecution(row, db.clock.now(), held(row))),
        200,
      )
    })
    .openapi(start, async (c) => {
      const { policy_id, retry_of: retryOf } = c.req.valid('json')
      const row = await policy(policy_id)
      if (!row.enabled) throw badField('policy_id', `the rule ${row.name} is disabled`)
      if (retryOf !== undefined) {
        const before = await execution(retryOf)
        if (before.policyId !== row.id) throw badField('retry_of', `execution ${retryOf} is not one of the rule ${row.name}`)
        if (before.status === 'InProgress') throw badField('retry_of', `execution ${retryOf} still runs; stop it first, or wait for its end`)
        if (before.failed === 0) throw badField('retry_of', `nothing has failed in execution ${retryOf}`)
      }
      const begun = { policyId: row.id, trigger: 'manual', operator: c.var.principal.id } as const
      const executionId = await startExecution(db, begun, (id) =>
        planReplication({ executionId: id, ...(retryOf !== undefined && { retryOf }) }, row.sourceEndpointId),
      )
      return created(c, `/replication/executions/${executionId}`)
    })
    .openapi(getExecution, async (c) => {
      const row = await execution(c.req.valid('param').id)
      return c.json(showExecution(row, db.clock.now(), (await heldBack(db, [row]))(row)), 200)
    })
    .openapi(stop, async (c) => {
      const row = await execution(c.req.valid('param').id)
      await stopExecution(db, row.id)
      return c.body(null, 200)
    })
    .openapi(tasks, async (c) => {
      const query = c.req.valid('query')
      const row = await execution(c.req.valid('param').id)
      const { items, total } = await listTasks(
        db,
        row.id,
        { status: query.status, resourceType: query.resource_type },
        SEARCHES.replicationTasks.listing(query),
      )
      describePage(c, query, total, SEARCHES.replicationTasks)
      return c.json(items.map(showTask), 200)
    })
    .openapi(log, async (c) => {
      const { id: executionId, task_id } = c.req.valid('param')
      const task = await findTask(db, task_id)
      if (task === undefined || task.executionId !== executionId) throw notFound(`task ${task_id} of replication execution ${executionId}`)
      return plainText(c, (await readTaskLog(db, task_id)) ?? '')
    })
}
