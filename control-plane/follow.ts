import type { Clock } from '../registry/clock.ts'
import { pause, steady } from '../registry/clock.ts'
import type { Log } from '../registry/log.ts'
import { isRepositoryName, isTag } from '../registry/spec/names.ts'
import { type Change, headOfChanges, readChanges, readCursor, saveCursor } from '../schema/changes.ts'
import type { Database } from '../schema/database.ts'
import { enabledReplicationPolicies, type ReplicationPolicy } from '../schema/replication.ts'
import { startExecutionOnce } from '../schema/replication-executions.ts'
import { planReplication } from '../schema/replication-jobs.ts'
import { CHANGES_BATCH, CURSOR_SAVE_MS, POLL_MS } from './limits.ts'
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
      await follow(db, clock, log, signal)
    } catch (error) {
      if (signal.aborted) return
      log.error({ err: error }, 'The feed of changes cannot be followed.')
      await pause(clock, POLL_MS, signal).catch(() => undefined)
    }
  }
}

async function follow(db: Database, clock: Clock, log: Log, signal: AbortSignal): Promise<void> {
  let cursor = await readCursor(db, CONSUMER)
  if (cursor === undefined) {
    // What happened before anybody followed is for manual runs.
    cursor = await headOfChanges(db)
    await saveCursor(db, CONSUMER, cursor)
  }
  let saved = cursor
  let savedAt = Number.NEGATIVE_INFINITY
  for (;;) {
    // A commit for each push that is followed would be as dear as the push. What is looked at twice after a crash begins nothing twice.
    const due = savedAt + CURSOR_SAVE_MS - steady(clock)
    if (cursor > saved && due <= 0) {
      await saveCursor(db, CONSUMER, cursor)
      saved = cursor
      savedAt = steady(clock)
    }
    if (!(await changesWithin(db, clock, cursor, cursor > saved ? due : undefined, signal))) continue
    const batch = await readChanges(db, cursor, CHANGES_BATCH)
    const policies = batch.some(isOfTags) ? await enabledReplicationPolicies(db, 'event_based') : []
    for (const change of batch.filter(isOfTags)) for (const policy of policies) await react(db, log, change, policy)
    cursor = batch.at(-1)?.seq ?? cursor
    // Whoever makes a rule means what comes after it: nothing from before is looked at again.
    if (batch.some(isOfRules)) savedAt = Number.NEGATIVE_INFINITY
  }
}

/** Waits for changes behind the cursor; false: none came in so many milliseconds (undefined: waits for ever). @throws the signal's reason */
async function changesWithin(db: Database, clock: Clock, cursor: number, ms: number | undefined, signal: AbortSignal): Promise<boolean> {
  if (ms === undefined) {
    await db.changesAvailable(cursor, signal)
    return true
  }
  const ending = new AbortController()
  const stop = clock.after(ms, () => ending.abort(TIME_OVER))
  try {
    await db.changesAvailable(cursor, AbortSignal.any([signal, ending.signal]))
    return true
  } catch (error) {
    if (error === TIME_OVER) return false
    throw error
  } finally {
    stop()
  }
}

const TIME_OVER = Symbol('time over')

const isOfRules = ({ kind }: Change) => kind.startsWith('replication.policy.')

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
