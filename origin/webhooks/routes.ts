import { Hono } from 'hono'
import { TEST_EVENT, type WebhookEvent } from '../../control-plane/webhooks/events.ts'
import { webhookRun } from '../../control-plane/webhooks/follow.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { startRun } from '../../schema/runs.ts'
import { findWebhookPolicy } from '../../schema/webhooks.ts'
import type { OriginServices } from '../services.ts'

const PATH = '/api/atoll/v1/projects/:project/webhooks/:id/test'

/** The test button: a webhook is sent now, enabled or not; its execution tells how that went. */
export function webhooksApi({
  db,
  clock,
  authenticate,
  authorize,
  projectFacts,
}: Pick<OriginServices, 'db' | 'clock' | 'authenticate' | 'authorize' | 'projectFacts'>): Hono {
  return new Hono().post(PATH, async (c) => {
    const principal = await authenticate(c.req.raw)
    const name = c.req.param('project')
    await authorize(principal, { resource: 'notification-policy', action: 'update' }, name)
    const project = await projectFacts(name)
    const id = /^\d{1,15}$/.exec(c.req.param('id'))?.[0]
    const policy = project && id !== undefined ? await findWebhookPolicy(db, project.id, Number(id)) : undefined
    if (project === undefined || policy === undefined) throw new RegistryError('NAME_UNKNOWN', 'There is no such webhook.')
    const event: WebhookEvent = { type: TEST_EVENT, time: clock.now(), operator: principal.name, project: project.name, public: project.public }
    const run = await startRun(db, webhookRun(policy, { ...event }, 'MANUAL'))
    return c.json({ execution_id: run }, 202, { Location: `/api/v2.0/projects/${project.id}/webhook/policies/${policy.id}/executions/${run}/tasks` })
  })
}
