import { createRoute, z } from '@hono/zod-openapi'
import { WEBHOOK_SECRET } from '../../control-plane/webhooks/deliver.ts'
import { WEBHOOK_EVENTS } from '../../control-plane/webhooks/events.ts'
import { PrivateAddress, ReachableNetworks } from '../../runtime/public-networks.ts'
import { findRun, lastRuns, listRuns, listRunTasks, type Run, type RunTask, readRunLog } from '../../schema/runs.ts'
import {
  createWebhookPolicy,
  deleteWebhookPolicy,
  findWebhookPolicy,
  listWebhookPolicies,
  type NewWebhookPolicy,
  updateWebhookPolicy,
  type WebhookPolicy,
  type WebhookTarget,
} from '../../schema/webhooks.ts'
import { empty, json, refusals } from './answers.ts'
import { type ApiParts, created, id, instant, plainText, routes } from './environment.ts'
import { badField, notFound } from './errors.ts'
import { describePage } from './paging.ts'
import { Execution, readStatus, runStatus, showRun, showRunTask, Task } from './run-shapes.ts'
import { SEARCHES } from './searches.ts'
import { EventTypes, Job, KEPT, LastTrigger, NewPolicy, Policy, showPolicy } from './webhook-shapes.ts'

const tags = ['webhook']
const params = z.object({ project_name_or_id: z.string().max(255) })
const PATH = '/projects/{project_name_or_id}/webhook'
const one = params.extend({ webhook_policy_id: id })
const ofExecution = one.extend({ execution_id: id })
const EVERY_POLICY = { page: 1, pageSize: 1_000 }

export const webhooks = ({ services, guard }: ApiParts) => {
  const { db, secrets } = services

  const list = createRoute({
    method: 'get',
    path: `${PATH}/policies`,
    tags,
    operationId: 'ListWebhookPoliciesOfProject',
    summary: 'The webhooks of a project',
    middleware: guard.project('notification-policy', 'list'),
    request: { params, query: z.object(SEARCHES.webhookPolicies.query) },
    responses: { 200: json(z.array(Policy), 'One page of them.'), ...refusals(400, 401, 403, 404) },
  })

  const create = createRoute({
    method: 'post',
    path: `${PATH}/policies`,
    tags,
    operationId: 'CreateWebhookPolicyOfProject',
    summary: 'Makes a webhook',
    middleware: guard.project('notification-policy', 'create'),
    request: { params, body: { required: true, content: { 'application/json': { schema: NewPolicy } } } },
    responses: { 201: empty('Its address is in Location.'), ...refusals(400, 401, 403, 404, 409) },
  })

  const get = createRoute({
    method: 'get',
    path: `${PATH}/policies/{webhook_policy_id}`,
    tags,
    operationId: 'GetWebhookPolicyOfProject',
    summary: 'One webhook',
    middleware: guard.project('notification-policy', 'read'),
    request: { params: one },
    responses: { 200: json(Policy, 'The webhook.'), ...refusals(400, 401, 403, 404) },
  })

  const update = createRoute({
    method: 'put',
    path: `${PATH}/policies/{webhook_policy_id}`,
    tags,
    operationId: 'UpdateWebhookPolicyOfProject',
    summary: `Replaces a webhook; a header sent back as ${KEPT} stays what it is`,
    middleware: guard.project('notification-policy', 'update'),
    request: { params: one, body: { required: true, content: { 'application/json': { schema: NewPolicy } } } },
    responses: { 200: empty('Changed.'), ...refusals(400, 401, 403, 404, 409) },
  })

  const remove = createRoute({
    method: 'delete',
    path: `${PATH}/policies/{webhook_policy_id}`,
    tags,
    operationId: 'DeleteWebhookPolicyOfProject',
    summary: 'Deletes a webhook with its history',
    middleware: guard.project('notification-policy', 'delete'),
    request: { params: one },
    responses: { 200: empty('Deleted.'), ...refusals(400, 401, 403, 404) },
  })

  const executions = createRoute({
    method: 'get',
    path: `${PATH}/policies/{webhook_policy_id}/executions`,
    tags,
    operationId: 'ListExecutionsOfWebhookPolicy',
    summary: 'What a webhook has told of, newest first',
    middleware: guard.project('notification-policy', 'read'),
    request: { params: one, query: z.object(SEARCHES.webhookExecutions.query) },
    responses: { 200: json(z.array(Execution), 'One page of it.'), ...refusals(400, 401, 403, 404) },
  })

  const tasks = createRoute({
    method: 'get',
    path: `${PATH}/policies/{webhook_policy_id}/executions/{execution_id}/tasks`,
    tags,
    operationId: 'ListTasksOfWebhookExecution',
    summary: 'What was sent, a task for each target',
    middleware: guard.project('notification-policy', 'read'),
    request: { params: ofExecution, query: z.object(SEARCHES.webhookTasks.query) },
    responses: { 200: json(z.array(Task), 'One page of them.'), ...refusals(400, 401, 403, 404) },
  })

  const log = createRoute({
    method: 'get',
    path: `${PATH}/policies/{webhook_policy_id}/executions/{execution_id}/tasks/{task_id}/log`,
    tags,
    operationId: 'GetLogsOfWebhookTask',
    summary: 'Each attempt with its request and the answer',
    middleware: guard.project('notification-policy', 'read'),
    request: { params: ofExecution.extend({ task_id: id }) },
    responses: { 200: { description: 'The log.', content: { 'text/plain': { schema: z.string() } } }, ...refusals(400, 401, 403, 404) },
  })

  const lastTrigger = createRoute({
    method: 'get',
    path: `${PATH}/lasttrigger`,
    tags,
    operationId: 'LastTrigger',
    summary: 'When each webhook last told of each kind of event',
    middleware: guard.project('notification-policy', 'list'),
    request: { params },
    responses: { 200: json(z.array(LastTrigger), 'An entry for each webhook and event.'), ...refusals(400, 401, 403, 404) },
  })

  const events = createRoute({
    method: 'get',
    path: `${PATH}/events`,
    tags,
    operationId: 'GetSupportedEventTypes',
    summary: 'What webhooks can tell of, and how',
    middleware: guard.project('notification-policy', 'read'),
    request: { params },
    responses: { 200: json(EventTypes, 'All of it.'), ...refusals(401, 403, 404) },
  })

  const jobs = createRoute({
    method: 'get',
    path: `${PATH}/jobs`,
    tags: ['webhookjob'],
    operationId: 'ListWebhookJobs',
    summary: 'What a webhook has sent, newest first',
    middleware: guard.project('notification-policy', 'list'),
    request: {
      params,
      query: z.object({ ...SEARCHES.webhookJobs.query, policy_id: id, status: z.union([z.string(), z.array(z.string())]).optional() }),
    },
    responses: { 200: json(z.array(Job), 'One page of it.'), ...refusals(400, 401, 403, 404) },
  })

  /** @throws ApiError NOT_FOUND */
  const found = async (projectId: number, policyId: number): Promise<WebhookPolicy> => {
    const policy = await findWebhookPolicy(db, projectId, policyId)
    if (policy === undefined) throw notFound(`webhook policy ${policyId}`)
    return policy
  }

  const foundRun = async (projectId: number, policyId: number, runId: number): Promise<{ policy: WebhookPolicy; run: Run }> => {
    const policy = await found(projectId, policyId)
    const run = await findRun(db, 'webhook', policy.id, runId)
    if (run === undefined) throw notFound(`execution ${runId}`)
    return { policy, run }
  }

  const reachable = new ReachableNetworks(services.config['outbound.private_networks'])
  /** A name is looked up when something is sent. @throws ApiError BAD_REQUEST */
  const refusePrivate = (address: string): void => {
    try {
      reachable.checkHost(new URL(address).hostname)
    } catch (error) {
      if (error instanceof PrivateAddress) throw badField('targets.address', error.message)
      throw error
    }
  }

  /** A header sent back as it was shown is the one that is kept for the same address. @throws ApiError BAD_REQUEST: there is none to keep */
  const targetsIn = async (given: z.infer<typeof NewPolicy>['targets'], before?: WebhookPolicy): Promise<WebhookTarget[]> =>
    await Promise.all(
      given.map(async ({ type, address, auth_header: header = '', skip_cert_verify, payload_format }) => {
        refusePrivate(address)
        const kept = before?.targets.find((target) => target.address === address)?.sealedAuthHeader
        if (header === KEPT && kept === undefined)
          throw badField('targets.auth_header', 'is kept only for the address that it was given for; write it again')
        const sealed = header === KEPT ? kept : header === '' ? undefined : await secrets.seal(header, WEBHOOK_SECRET)
        return {
          type,
          address,
          ...(sealed !== undefined && { sealedAuthHeader: sealed }),
          skipCertVerify: skip_cert_verify,
          payloadFormat: payload_format === 'CloudEvents' ? ('CloudEvents' as const) : ('Default' as const),
        }
      }),
    )

  const read = async (projectId: number, given: z.infer<typeof NewPolicy>, before?: WebhookPolicy): Promise<NewWebhookPolicy> => ({
    projectId,
    name: given.name,
    description: given.description ?? '',
    targets: await targetsIn(given.targets, before),
    events: [...new Set(given.event_types)],
    enabled: given.enabled,
  })

  const showTask = (task: RunTask, run: Run) =>
    showRunTask(task, { event_type: run.event, notify_type: String(task.detail.type), address: task.target })

  return routes()
    .openapi(list, async (c) => {
      const query = c.req.valid('query')
      const { items, total } = await listWebhookPolicies(db, c.var.project.id, SEARCHES.webhookPolicies.listing(query))
      describePage(c, query, total, SEARCHES.webhookPolicies)
      return c.json(items.map(showPolicy), 200)
    })
    .openapi(create, async (c) => {
      const { principal, project } = c.var
      const policy = await read(project.id, c.req.valid('json'))
      const made = await createWebhookPolicy(db, policy, principal.name, principal.id)
      return created(c, `/projects/${project.id}/webhook/policies/${made}`)
    })
    .openapi(get, async (c) => c.json(showPolicy(await found(c.var.project.id, c.req.valid('param').webhook_policy_id)), 200))
    .openapi(update, async (c) => {
      const { principal, project } = c.var
      const before = await found(project.id, c.req.valid('param').webhook_policy_id)
      await updateWebhookPolicy(db, before.id, await read(project.id, c.req.valid('json'), before), principal.id)
      return c.body(null, 200)
    })
    .openapi(remove, async (c) => {
      const { webhook_policy_id } = c.req.valid('param')
      if (!(await deleteWebhookPolicy(db, c.var.project.id, webhook_policy_id, c.var.principal.id)))
        throw notFound(`webhook policy ${webhook_policy_id}`)
      return c.body(null, 200)
    })
    .openapi(executions, async (c) => {
      const query = c.req.valid('query')
      const policy = await found(c.var.project.id, c.req.valid('param').webhook_policy_id)
      const status = runStatus(SEARCHES.webhookExecutions.conditions(query).status)
      const { items, total } = await listRuns(db, { kind: 'webhook', policyId: policy.id, status }, SEARCHES.webhookExecutions.listing(query))
      describePage(c, query, total, SEARCHES.webhookExecutions)
      return c.json(
        items.map((run) => showRun(run, 'WEBHOOK', { event_type: run.event, ...run.detail })),
        200,
      )
    })
    .openapi(tasks, async (c) => {
      const query = c.req.valid('query')
      const { webhook_policy_id, execution_id } = c.req.valid('param')
      const { run } = await foundRun(c.var.project.id, webhook_policy_id, execution_id)
      const status = runStatus(SEARCHES.webhookTasks.conditions(query).status)
      const { items, total } = await listRunTasks(db, run.id, { status }, SEARCHES.webhookTasks.listing(query))
      describePage(c, query, total, SEARCHES.webhookTasks)
      return c.json(
        items.map((task) => showTask(task, run)),
        200,
      )
    })
    .openapi(log, async (c) => {
      const { webhook_policy_id, execution_id, task_id } = c.req.valid('param')
      const { run } = await foundRun(c.var.project.id, webhook_policy_id, execution_id)
      const text = await readRunLog(db, run.id, task_id)
      if (text === undefined) throw notFound(`task ${task_id}`)
      return plainText(c, text)
    })
    .openapi(lastTrigger, async (c) => {
      const { items } = await listWebhookPolicies(db, c.var.project.id, EVERY_POLICY)
      const shown = await Promise.all(
        items.map(async (policy) => {
          const last = await lastRuns(db, 'webhook', policy.id)
          return policy.events.map((event) => {
            const at = last.get(event)
            return {
              policy_name: policy.name,
              event_type: event,
              enabled: policy.enabled,
              creation_time: instant(policy.createdAt),
              ...(at !== undefined && { last_trigger_time: instant(at) }),
            }
          })
        }),
      )
      return c.json(shown.flat(), 200)
    })
    .openapi(events, (c) =>
      c.json(
        {
          event_type: [...WEBHOOK_EVENTS],
          notify_type: ['http', 'slack', 'teams'],
          payload_formats: [
            { notify_type: 'http', formats: ['Default', 'CloudEvents'] },
            { notify_type: 'slack', formats: ['Default'] },
            { notify_type: 'teams', formats: ['Default'] },
          ],
        },
        200,
      ),
    )
    .openapi(jobs, async (c) => {
      const query = c.req.valid('query')
      const policy = await found(c.var.project.id, query.policy_id)
      const status =
        query.status === undefined
          ? runStatus(SEARCHES.webhookJobs.conditions(query).status)
          : [query.status]
              .flat()
              .flatMap((text) => text.split(','))
              .map(readStatus)
      const { items, total } = await listRuns(db, { kind: 'webhook', policyId: policy.id, status }, SEARCHES.webhookJobs.listing(query))
      describePage(c, query, total, SEARCHES.webhookJobs)
      return c.json(
        items.map((run) => ({
          id: run.id,
          policy_id: policy.id,
          event_type: run.event,
          notify_type: policy.targets[0]?.type ?? 'http',
          status: run.status,
          job_detail: JSON.stringify(run.detail),
          creation_time: instant(run.startedAt),
          update_time: instant(run.endedAt ?? run.startedAt),
        })),
        200,
      )
    })
}
