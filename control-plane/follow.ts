import type { Clock } from '../registry/clock.ts'
import { pause } from '../registry/clock.ts'
import type { Log } from '../registry/log.ts'
import { isRepositoryName, isTag } from '../registry/spec/names.ts'
import { type Change, headOfChanges, readChanges, readCursor, saveCursor } from '../schema/changes.ts'
import type { Database } from '../schema/database.ts'
import { enabledReplicationPolicies, type ReplicationPolicy } from '../schema/replication.ts'
import { startExecutionOnce } from '../schema/replication-executions.ts'
import { planReplication } from '../schema/replication-jobs.ts'
import { CHANGES_BATCH, POLL_MS } from './limits.ts'
import { readFilters } from './replication/filters.ts'

const CONSUMER = 'replication'

/** Follows the feed, and begins an execution of each event-based rule for each tag that was set, and for each that was deleted where the rule wants that. */
export async function followChanges({
  db,
  clock,
  log,
  signal,
}: {
  readonly db: Database
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal
}): Promise<void> {
  while (!signal.aborted) {
    try {
      await follow(db, log, signal)
    } catch (error) {
      if (signal.aborted) return
      log.error({ err: error }, 'The feed of changes cannot be followed.')
      await pause(clock, POLL_MS, signal).catch(() => undefined)
    }
  }
}

async function follow(db: Database, log: Log, signal: AbortSignal): Promise<void> {
  let cursor = await readCursor(db, CONSUMER)
  if (cursor === undefined) {
    // What happened before anybody followed is for manual runs.
    cursor = await headOfChanges(db)
    await saveCursor(db, CONSUMER, cursor)
  }
  for (;;) {
    await db.changesAvailable(cursor, signal)
    const batch = await readChanges(db, cursor, CHANGES_BATCH)
    const policies = batch.some(isOfTags) ? await enabledReplicationPolicies(db, 'event_based') : []
    for (const change of batch.filter(isOfTags)) for (const policy of policies) await react(db, log, change, policy)
    cursor = batch.at(-1)?.seq ?? cursor
    await saveCursor(db, CONSUMER, cursor)
  }
}

function isOfTags({ kind }: Change): boolean {
  return kind === 'tag.set' || kind === 'tag.deleted'
}

async function react(db: Database, log: Log, change: Change, policy: ReplicationPolicy): Promise<void> {
  if (policy.sourceEndpointId !== null) return
  if (change.kind === 'tag.deleted' && !policy.replicateDeletion) return
  const colon = change.subject.lastIndexOf(':')
  const repository = change.subject.slice(0, colon)
  const tag = change.subject.slice(colon + 1)
  if (!isRepositoryName(repository) || !isTag(tag)) return
  try {
    const filters = readFilters(policy.filters)
    if (!filters.name(repository) || !filters.tag(tag)) return
  } catch (error) {
    // One rule that cannot be read must not keep the others from theirs.
    log.warn({ err: error, policy: policy.id }, 'A replication rule cannot be followed.')
    return
  }
  const operation = change.kind === 'tag.set' ? 'copy' : 'deletion'
  const key = `replication:${policy.id}:${change.seq}`
  await startExecutionOnce(db, { policyId: policy.id, trigger: 'event_based', operator: change.actor }, key, (executionId) =>
    planReplication({ executionId, only: { repository, tag, operation } }),
  )
}
