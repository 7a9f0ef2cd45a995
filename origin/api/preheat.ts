import { createRoute, z } from '@hono/zod-openapi'
import { preheatFilter, startPreheat } from '../../control-plane/preheat/start.ts'
import {
  createPreheatPolicy,
  deletePreheatPolicy,
  findPreheatInstance,
  findPreheatPolicy,
  listPreheatInstances,
  listPreheatPolicies,
  type NewPreheatPolicy,
  type PreheatPolicy,
  updatePreheatPolicy,
} from '../../schema/preheat.ts'
import { findRun, listRuns, listRunTasks, type Run, readRunLog, stopRun } from '../../schema/runs.ts'
import { empty, json, refusals } from './answers.ts'
import { type ApiParts, created, id, plainText, routes } from './environment.ts'
import { ApiError, badField, notFound } from './errors.ts'
import { describePage } from './paging.ts'
import { GivenPolicy, Policy, ProjectProvider, readFilters, readTrigger, showPolicy } from './preheat-shapes.ts'
import { Execution, runStatus, showRun, showRunTask, Task } from './run-shapes.ts'
import { refuseBadCron } from './schedules.ts'
import { SEARCHES } from './searches.ts'

const tags = ['preheat']
const VENDOR_TYPE = 'P2P_PREHEAT'
const PATH = '/projects/{project_name}/preheat'
const ONE = `${PATH}/policies/{preheat_policy_name}` as const
const params = z.object({ project_name: z.string().max(255) })
const inPolicy = params.extend({ preheat_policy_name: z.string().max(255) })
const inRun = inPolicy.extend({ execution_id: id })
const EVERY = { page: 1, pageSize: 1_000 }

/** What a project has fetched to edges before anybody pulls it. */
export const preheatPolicies = ({ services: { db, clock }, guard }: ApiParts) => {
  const right = (action: string) => guard.project('preheat-policy', action)
  const policyBody = { required: true, content: { 'application/json': { schema: GivenPolicy } } } as const

  const providers = createRoute({
    method: 'get',
    path: `${PATH}/providers`,
    tags,
    operationId: 'ListProvidersUnderProject',
    summary: 'The edges that this project may warm',
    middleware: right('read'),
    request: { params },
    responses: { 200: json(z.array(ProjectProvider), 'All of them.'), ...refusals(401, 403, 404) },
  })

  const list = createRoute({
    method: 'get',
    path: `${PATH}/policies`,
    tags,
    operationId: 'ListPolicies',
    summary: 'What is warmed, and when',
    middleware: right('list'),
    request: { params, query: z.object(SEARCHES.preheatPolicies.query) },
    responses: { 200: json(z.array(Policy), 'One page of it.'), ...refusals(400, 401, 403, 404) },
  })

  const create = createRoute({
    method: 'post',
    path: `${PATH}/policies`,
    tags,
    operationId: 'CreatePolicy',
    summary: 'Makes a policy',
    middleware: right('create'),
    request: { params, body: policyBody },
    responses: { 201: empty('Its address is in Location.'), ...refusals(400, 401, 403, 404, 409) },
  })

  const get = createRoute({
    method: 'get',
    path: ONE,
    tags,
    operationId: 'GetPolicy',
    summary: 'One policy',
    middleware: right('read'),
    request: { params: inPolicy },
    responses: { 200: json(Policy, 'The policy.'), ...refusals(401, 403, 404) },
  })

  const update = createRoute({
    method: 'put',
    path: ONE,
    tags,
    operationId: 'UpdatePolicy',
    summary: 'Replaces a policy',
    middleware: right('update'),
    request: { params: inPolicy, body: policyBody },
    responses: { 200: empty('Changed.'), ...refusals(400, 401, 403, 404, 409) },
  })

  const start = createRoute({
    method: 'post',
    path: ONE,
    tags,
    operationId: 'ManualPreheat',
    summary: 'Warms now what the policy means',
    middleware: right('update'),
    request: { params: inPolicy },
    responses: { 201: empty('The address of the execution is in Location.'), ...refusals(400, 401, 403, 404) },
  })

  const remove = createRoute({
    method: 'delete',
    path: ONE,
    tags,
    operationId: 'DeletePolicy',
    summary: 'Deletes a policy with its executions',
    middleware: right('delete'),
    request: { params: inPolicy },
    responses: { 200: empty('Deleted.'), ...refusals(401, 403, 404) },
  })

  const executions = createRoute({
    method: 'get',
    path: `${ONE}/executions`,
    tags,
    operationId: 'ListExecutions',
    summary: 'When it was warmed, newest first',
    middleware: right('read'),
    request: { params: inPolicy, query: z.object(SEARCHES.preheatExecutions.query) },
    responses: { 200: json(z.array(Execution), 'One page of it.'), ...refusals(400, 401, 403, 404) },
  })

  const execution = createRoute({
    method: 'get',
    path: `${ONE}/executions/{execution_id}`,
    tags,
    operationId: 'GetExecution',
    summary: 'How an execution stands',
    middleware: right('read'),
    request: { params: inRun },
    responses: { 200: json(Execution, 'The execution.'), ...refusals(400, 401, 403, 404) },
  })

  const stop = createRoute({
    method: 'patch',
    path: `${ONE}/executions/{execution_id}`,
    tags,
    operationId: 'StopExecution',
    summary: 'Stops an execution: send the status Stopped',
    middleware: right('update'),
    request: {
      params: inRun,
      body: {
        required: true,
        content: { 'application/json': { schema: z.object({ status: z.literal('Stopped', { error: 'is Stopped' }) }).openapi('StopPreheat') } },
      },
    },
    responses: { 200: empty('Nothing more of it is begun.'), ...refusals(400, 401, 403, 404) },
  })

  const tasks = createRoute({
    method: 'get',
    path: `${ONE}/executions/{execution_id}/tasks`,
    tags,
    operationId: 'ListTasks',
    summary: 'A task for each artifact',
    middleware: right('read'),
    request: { params: inRun, query: z.object(SEARCHES.preheatTasks.query) },
    responses: { 200: json(z.array(Task), 'One page of them.'), ...refusals(400, 401, 403, 404) },
  })

  const log = createRoute({
    method: 'get',
    path: `${ONE}/executions/{execution_id}/tasks/{task_id}/logs`,
    tags,
    operationId: 'GetPreheatLog',
    summary: 'What an edge said of an artifact',
    middleware: right('read'),
    request: { params: inRun.extend({ task_id: id }) },
    responses: { 200: { description: 'Its lines.', content: { 'text/plain': { schema: z.string() } } }, ...refusals(400, 401, 403, 404) },
  })

  const found = async (projectId: number, name: string): Promise<PreheatPolicy> => {
    const policy = await findPreheatPolicy(db, projectId, name)
    if (policy === undefined) throw notFound(`preheat policy ${name}`)
    return policy
  }

  const foundRun = async (projectId: number, name: string, runId: number): Promise<Run> => {
    const policy = await found(projectId, name)
    const run = await findRun(db, 'preheat', policy.id, runId)
    if (run === undefined) throw notFound(`execution ${runId}`)
    return run
  }

  const read = async (projectId: number, given: z.infer<typeof GivenPolicy>): Promise<NewPreheatPolicy> => {
    const instance = await findPreheatInstance(db, { id: given.provider_id })
    if (instance === undefined || !instance.enabled) throw badField('provider_id', `there is no instance ${given.provider_id} that may be warmed`)
    const filters = readFilters(given.filters)
    try {
      preheatFilter(filters)
    } catch (error) {
      if (error instanceof SyntaxError) throw badField('filters', error.message)
      throw error
    }
    const { type, cron } = readTrigger(given.trigger)
    if (cron !== null) refuseBadCron('trigger', cron, clock.now())
    return {
      projectId,
      instanceId: instance.id,
      name: given.name,
      description: given.description ?? '',
      filters,
      trigger: type,
      cron,
      enabled: given.enabled,
      extraAttributes: given.extra_attrs ?? '',
    }
  }

  const show = async (policy: PreheatPolicy) => showPolicy(policy, (await findPreheatInstance(db, { id: policy.instanceId }))?.name ?? '')

  return routes()
    .openapi(providers, async (c) => {
      const { items } = await listPreheatInstances(db, EVERY)
      return c.json(
        items.map(({ id, name, enabled, standard }) => ({ id, provider: name, enabled, default: standard })),
        200,
      )
    })
    .openapi(list, async (c) => {
      const query = c.req.valid('query')
      const { items, total } = await listPreheatPolicies(db, c.var.project.id, SEARCHES.preheatPolicies.listing(query))
      describePage(c, query, total, SEARCHES.preheatPolicies)
      return c.json(await Promise.all(items.map(show)), 200)
    })
    .openapi(create, async (c) => {
      const { principal, project } = c.var
      const policy = await read(project.id, c.req.valid('json'))
      await createPreheatPolicy(db, policy, principal.id)
      return created(c, `/projects/${project.name}/preheat/policies/${policy.name}`)
    })
    .openapi(get, async (c) => c.json(await show(await found(c.var.project.id, c.req.valid('param').preheat_policy_name)), 200))
    .openapi(update, async (c) => {
      const { principal, project } = c.var
      const before = await found(project.id, c.req.valid('param').preheat_policy_name)
      await updatePreheatPolicy(db, before.id, await read(project.id, c.req.valid('json')), principal.id)
      return c.body(null, 200)
    })
    .openapi(start, async (c) => {
      const { project } = c.var
      const policy = await found(project.id, c.req.valid('param').preheat_policy_name)
      if (!policy.enabled) throw new ApiError('BAD_REQUEST', `The policy ${policy.name} is disabled; enable it to run it.`)
      const run = await startPreheat(db, policy, { trigger: 'MANUAL' })
      return created(c, `/projects/${project.name}/preheat/policies/${policy.name}/executions/${run}`)
    })
    .openapi(remove, async (c) => {
      await deletePreheatPolicy(db, await found(c.var.project.id, c.req.valid('param').preheat_policy_name), c.var.principal.id)
      return c.body(null, 200)
    })
    .openapi(executions, async (c) => {
      const query = c.req.valid('query')
      const policy = await found(c.var.project.id, c.req.valid('param').preheat_policy_name)
      const status = runStatus(SEARCHES.preheatExecutions.conditions(query).status)
      const { items, total } = await listRuns(db, { kind: 'preheat', policyId: policy.id, status }, SEARCHES.preheatExecutions.listing(query))
      describePage(c, query, total, SEARCHES.preheatExecutions)
      return c.json(
        items.map((run) => showRun(run, VENDOR_TYPE, run.detail)),
        200,
      )
    })
    .openapi(execution, async (c) => {
      const { preheat_policy_name, execution_id } = c.req.valid('param')
      const run = await foundRun(c.var.project.id, preheat_policy_name, execution_id)
      return c.json(showRun(run, VENDOR_TYPE, run.detail), 200)
    })
    .openapi(stop, async (c) => {
      const { preheat_policy_name, execution_id } = c.req.valid('param')
      const { id: runId } = await foundRun(c.var.project.id, preheat_policy_name, execution_id)
      await stopRun(db, runId)
      return c.body(null, 200)
    })
    .openapi(tasks, async (c) => {
      const query = c.req.valid('query')
      const { preheat_policy_name, execution_id } = c.req.valid('param')
      const run = await foundRun(c.var.project.id, preheat_policy_name, execution_id)
      const status = runStatus(SEARCHES.preheatTasks.conditions(query).status)
      const { items, total } = await listRunTasks(db, run.id, { status }, SEARCHES.preheatTasks.listing(query))
      describePage(c, query, total, SEARCHES.preheatTasks)
      return c.json(
        items.map((task) =>
          showRunTask(task, { artifact: `${String(task.detail.repository)}:${String(task.detail.tag)}`, digest: task.detail.digest }),
        ),
        200,
      )
    })
    .openapi(log, async (c) => {
      const { preheat_policy_name, execution_id, task_id } = c.req.valid('param')
      const run = await foundRun(c.var.project.id, preheat_policy_name, execution_id)
      const text = await readRunLog(db, run.id, task_id)
      if (text === undefined) throw notFound(`task ${task_id}`)
      return plainText(c, text)
    })
}
