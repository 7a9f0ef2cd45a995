import type { Log } from '../../registry/log.ts'
import type { AuditRow } from '../../schema/audit/read.ts'
import type { Database } from '../../schema/database.ts'
import { findProjectById } from '../../schema/projects.ts'
import { startRun } from '../../schema/runs.ts'
import { anyWebhook, enabledWebhooks, type WebhookPolicy } from '../../schema/webhooks.ts'
import type { FollowAuditOptions } from '../runs/follow-audit.ts'
import { webhookEvent, webhookEventType } from './events.ts'
import { shownAddress } from './secrets.ts'

/** Begins a run of each webhook for each thing that it wants to know; what is begun is begun once. */
export function webhooksFor({
  db,
  log,
  enabled,
}: {
  readonly db: Database
  readonly log: Log
  /** What happens while they are off is nobody's news. */
  readonly enabled: () => Promise<boolean>
}): Pick<FollowAuditOptions, 'wanted' | 'react'> {
  return {
    wanted: async () => (await enabled()) && (await anyWebhook(db)),
    react: (rows) => react(db, log, rows),
  }
}

async function react(db: Database, log: Log, rows: readonly AuditRow[]): Promise<void> {
  const news = rows.flatMap((row) => {
    const type = webhookEventType(row)
    return type === undefined || row.projectId === null ? [] : [{ row, type, projectId: row.projectId }]
  })
  if (news.length === 0) return
  const policies = Map.groupBy(await enabledWebhooks(db, [...new Set(news.map(({ projectId }) => projectId))]), ({ projectId }) => projectId)
  for (const { row, type, projectId } of news) {
    const wanting = (policies.get(projectId) ?? []).filter(({ events }) => events.includes(type))
    if (wanting.length === 0) continue
    const project = await findProjectById(db, projectId)
    if (project === undefined) continue
    try {
      const event = await webhookEvent({ db, type, row, project })
      if (event === undefined) continue
      for (const policy of wanting) await startRun(db, webhookRun(policy, { ...event }, 'EVENT', `webhook:${policy.id}:${row.id}`))
    } catch (error) {
      // One entry that cannot be read must not keep the others from their readers.
      log.warn({ err: error, entry: row.id }, 'A webhook could not be begun.')
    }
  }
}

/** A run of a webhook: a task for each target. */
export function webhookRun(
  policy: WebhookPolicy,
  event: Readonly<Record<string, unknown>> & { readonly type: string },
  trigger: 'EVENT' | 'MANUAL',
  key?: string,
) {
  return {
    kind: 'webhook' as const,
    policyId: policy.id,
    trigger,
    event: event.type,
    detail: event,
    tasks: policy.targets.map((target, at) => ({ target: shownAddress(target.address), detail: { at, type: target.type } })),
    ...(key !== undefined && { key }),
  }
}
