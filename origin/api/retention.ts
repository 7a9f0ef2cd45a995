import { createRoute, z } from '@hono/zod-openapi'
import {
  createRetentionPolicy,
  deleteRetentionPolicy,
  findRetentionExecution,
  findRetentionPolicy,
  listRetentionExecutions,
  listRetentionTasks,
  type RetentionExecution,
  type RetentionPolicy,
  retentionTaskLog,
  startRetention,
  stopRetention,
  updateRetentionPolicy,
} from '../../schema/retention.ts'
import { empty, json, refusals } from './answers.ts'
import { type ApiParts, created, id, plainText, routes } from './environment.ts'
import { ApiError, badField, notFound } from './errors.ts'
import { describePage, pageQuery } from './paging.ts'
import { Execution, METADATA, Metadata, Policy, readPolicy, showExecution, showPolicy, showTask, Task } from './retention-shapes.ts'
import type { ApiEnv } from './variables.ts'

const tags = ['Retention']
const params = z.object({ id })
const ofExecution = params.extend({ eid: id })
const body = { required: true, content: { 'application/json': { schema: Policy } } } as const

type Principal = ApiEnv['Variables']['principal']

export const retention = ({ services: { db }, guard }: ApiParts) => {
  const metadata = createRoute({
    method: 'get',
    path: '/retentions/metadatas',
    tags,
    operationId: 'getRentenitionMetadata',
    summary: 'What rules can be made of',
    middleware: guard.account,
    responses: { 200: json(Metadata, 'Templates and selectors.'), ...refusals(401) },
  })

  const create = createRoute({
    method: 'post',
    path: '/retentions',
    tags,
    operationId: 'createRetention',
    summary: 'Says what a project keeps',
    middleware: guard.account,
    request: { body },
    responses: { 201: empty('Its address is in Location.'), ...refusals(400, 401, 403, 409) },
  })

  const get = createRoute({
    method: 'get',
    path: '/retentions/{id}',
    tags,
    operationId: 'getRetention',
    summary: 'What a project keeps',
    middleware: guard.account,
    request: { params },
    responses: { 200: json(Policy, 'The policy.'), ...refusals(401, 403, 404) },
  })

  const update = createRoute({
    method: 'put',
    path: '/retentions/{id}',
    tags,
    operationId: 'updateRetention',
    summary: 'Changes what a project keeps',
    middleware: guard.account,
    request: { params, body },
    responses: { 200: empty('Changed.'), ...refusals(400, 401, 403, 404, 409) },
  })

  const remove = createRoute({
    method: 'delete',
    path: '/retentions/{id}',
    tags,
    operationId: 'deleteRetention',
    summary: 'Keeps everything from now on, and forgets the runs',
    middleware: guard.account,
    request: { params },
    responses: { 200: empty('Deleted.'), ...refusals(401, 403, 404) },
  })

  const start = createRoute({
    method: 'post',
    path: '/retentions/{id}/executions',
    tags,
    operationId: 'triggerRetentionExecution',
    summary: 'Runs it now, or only says what it would do',
    middleware: guard.account,
    request: {
      params,
      body: { required: true, content: { 'application/json': { schema: z.object({ dry_run: z.boolean().default(false) }) } } },
    },
    responses: { 201: empty('The address of the run is in Location.'), ...refusals(400, 401, 403, 404) },
  })

  const executions = createRoute({
    method: 'get',
    path: '/retentions/{id}/executions',
    tags,
    operationId: 'listRetentionExecutions',
    summary: 'The runs, newest first',
    middleware: guard.account,
    request: { params, query: z.object(pageQuery) },
    responses: { 200: json(z.array(Execution), 'One page of them.'), ...refusals(400, 401, 403, 404) },
  })

  const operate = createRoute({
    method: 'patch',
    path: '/retentions/{id}/executions/{eid}',
    tags,
    operationId: 'operateRetentionExecution',
    summary: 'Stops a run; what is deleted stays deleted',
    middleware: guard.account,
    request: {
      params: ofExecution,
      body: { required: true, content: { 'application/json': { schema: z.object({ action: z.literal('stop', { error: 'action: is stop' }) }) } } },
    },
    responses: { 200: empty('It deletes nothing more.'), ...refusals(400, 401, 403, 404) },
  })

  const tasks = createRoute({
    method: 'get',
    path: '/retentions/{id}/executions/{eid}/tasks',
    tags,
    operationId: 'listRetentionTasks',
    summary: 'The repositories of a run',
    middleware: guard.account,
    request: { params: ofExecution, query: z.object(pageQuery) },
    responses: { 200: json(z.array(Task), 'One page of them.'), ...refusals(400, 401, 403, 404) },
  })

  const log = createRoute({
    method: 'get',
    path: '/retentions/{id}/executions/{eid}/tasks/{tid}',
    tags,
    operationId: 'getRetentionTaskLog',
    summary: 'What becomes of each tag of a repository, and by which rule',
    middleware: guard.account,
    request: { params: ofExecution.extend({ tid: id }) },
    responses: { 200: { description: 'A line for each tag.', content: { 'text/plain': { schema: z.string() } } }, ...refusals(401, 403, 404) },
  })

  /** @throws ApiError NOT_FOUND (there is none, or whoever asks may not know), FORBIDDEN */
  async function policyFor(principal: Principal, number: number, action: string): Promise<RetentionPolicy> {
    const policy = await findRetentionPolicy(db, number)
    if (policy === undefined) throw notFound(`retention policy ${number}`)
    await guard.requireProject(principal, { resource: 'tag-retention', action }, policy.projectId).catch((error: unknown) => {
      // Whoever may not know of the project learns nothing of what it has.
      throw error instanceof ApiError && error.status === 404 ? notFound(`retention policy ${number}`) : error
    })
    return policy
  }

  /** @throws ApiError NOT_FOUND, FORBIDDEN */
  async function executionFor(principal: Principal, { id: number, eid }: z.infer<typeof ofExecution>, action: string): Promise<RetentionExecution> {
    await policyFor(principal, number, action)
    const execution = await findRetentionExecution(db, eid)
    if (execution?.policyId !== number) throw notFound(`run ${eid} of retention policy ${number}`)
    return execution
  }

  return routes()
    .openapi(metadata, (c) => c.json(METADATA, 200))
    .openapi(create, async (c) => {
      const { principal } = c.var
      const given = c.req.valid('json')
      const project = given.scope?.ref
      if (project === undefined) throw badField('scope.ref', 'is the id of the project')
      await guard.requireProject(principal, { resource: 'tag-retention', action: 'create' }, project)
      const policy = await createRetentionPolicy(db, { projectId: project, ...readPolicy(given, db.clock.now()) }, principal.id)
      if (policy === undefined)
        throw badField('scope.ref', 'the project has a retention policy already; its metadata has the id of it as retention_id')
      return created(c, `/retentions/${policy}`)
    })
    .openapi(get, async (c) => c.json(showPolicy(await policyFor(c.var.principal, c.req.valid('param').id, 'read')), 200))
    .openapi(update, async (c) => {
      const { principal } = c.var
      const { id: number, projectId } = await policyFor(principal, c.req.valid('param').id, 'update')
      const given = c.req.valid('json')
      if (given.scope !== undefined && given.scope.ref !== projectId) throw badField('scope.ref', 'stays the project that the policy was made for')
      await updateRetentionPolicy(db, number, readPolicy(given, db.clock.now()), principal.id)
      return c.body(null, 200)
    })
    .openapi(remove, async (c) => {
      const { principal } = c.var
      const { id: number } = await policyFor(principal, c.req.valid('param').id, 'delete')
      await deleteRetentionPolicy(db, number, principal.id)
      return c.body(null, 200)
    })
    .openapi(start, async (c) => {
      const { id: number } = await policyFor(c.var.principal, c.req.valid('param').id, 'operate')
      // `{}` means a run; a body that was forgotten must not delete anything.
      if (c.req.header('Content-Type') === undefined) throw badField('dry_run', 'is said in a JSON body: {"dry_run": true} or false')
      const { dry_run: dryRun } = c.req.valid('json')
      return created(c, `/retentions/${number}/executions/${await startRetention(db, number, dryRun)}`)
    })
    .openapi(executions, async (c) => {
      const query = c.req.valid('query')
      const { id: number } = await policyFor(c.var.principal, c.req.valid('param').id, 'list')
      const { items, total } = await listRetentionExecutions(db, number, { page: query.page, pageSize: query.page_size })
      describePage(c, query, total)
      return c.json(items.map(showExecution), 200)
    })
    .openapi(operate, async (c) => {
      const execution = await executionFor(c.var.principal, c.req.valid('param'), 'operate')
      await stopRetention(db, execution.id)
      return c.body(null, 200)
    })
    .openapi(tasks, async (c) => {
      const query = c.req.valid('query')
      const execution = await executionFor(c.var.principal, c.req.valid('param'), 'list')
      const { items, total } = await listRetentionTasks(db, execution.id, { page: query.page, pageSize: query.page_size })
      describePage(c, query, total)
      return c.json(items.map(showTask), 200)
    })
    .openapi(log, async (c) => {
      const { tid } = c.req.valid('param')
      const execution = await executionFor(c.var.principal, c.req.valid('param'), 'list')
      const text = await retentionTaskLog(db, execution.id, tid)
      if (text === undefined) throw notFound(`task ${tid} of run ${execution.id}`)
      return plainText(c, text)
    })
}
