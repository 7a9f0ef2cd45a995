import { type Clock, pause } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import { headOf } from '../../schema/audit/chain.ts'
import { type AuditRow, readAudit } from '../../schema/audit/read.ts'
import { readCursor, saveCursor } from '../../schema/changes.ts'
import type { Database } from '../../schema/database.ts'
import { findProjectById } from '../../schema/projects.ts'
import { startRun } from '../../schema/runs.ts'
import { enabledWebhooks, type WebhookPolicy } from '../../schema/webhooks.ts'
import { CHANGES_BATCH, WEBHOOK_POLL_MS } from '../limits.ts'
import { webhookEvent, webhookEventType } from './events.ts'

const CONSUMER = 'webhooks'

/** Follows the audit log, and begins a run of each webhook for each thing that it wants to know. Any number of processes may: each run begins once. */
export async function followForWebhooks({
  db,
  clock,
  log,
  enabled,
  signal,
}: {
  readonly db: Database
  readonly clock: Clock
  readonly log: Log
  /** What happens while they are off is nobody's news. */
  readonly enabled: () => Promise<boolean>
  readonly signal: AbortSignal
}): Promise<void> {
  let cursor: number | undefined
  while (!signal.aborted) {
    try {
      cursor ??= (await readCursor(db, CONSUMER)) ?? (await begin(db))
      const rows = await readAudit(db, cursor, CHANGES_BATCH)
      if (rows.length > 0 && (await enabled())) await react(db, log, rows)
      cursor = rows.at(-1)?.id ?? cursor
      if (rows.length > 0) await saveCursor(db, CONSUMER, cursor)
      if (rows.length === CHANGES_BATCH) continue
    } catch (error) {
      log.error({ err: error }, 'What webhooks tell of cannot be read.')
    }
    await pause(clock, WEBHOOK_POLL_MS, signal).catch(() => undefined)
  }
}

/** What happened before anybody followed is nobody's news. */
async function begin(db: Database): Promise<number> {
  const { id } = await headOf(db.read)
  await saveCursor(db, CONSUMER, id)
  return id
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
      const event = webhookEvent(row, type, project)
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
    tasks: policy.targets.map((target, at) => ({ target: target.address, detail: { at, type: target.type } })),
    ...(key !== undefined && { key }),
  }
}
