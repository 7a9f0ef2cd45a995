import type { Clock } from '../registry/clock.ts'
import { pause, steady } from '../registry/clock.ts'
import type { Log } from '../registry/log.ts'
import { isDigest } from '../registry/spec/digests.ts'
import { isRepositoryName, isTag, type RepositoryName, type Tag } from '../registry/spec/names.ts'
import { findArtifact } from '../schema/artifacts.ts'
import { type Change, headOfChanges, readChanges, readCursor, saveCursor } from '../schema/changes.ts'
import type { Database } from '../schema/database.ts'
import { enabledReplicationPolicies, type ReplicationPolicy } from '../schema/replication.ts'
import { startExecutionForEvent } from '../schema/replication-executions.ts'
import { CHANGE_ATTEMPTS, CHANGES_BATCH, CURSOR_SAVE_MS, DEBOUNCE_MS, POLL_MS } from './limits.ts'
import { tagsAbout } from './replication/beside.ts'
import { localFacts } from './replication/facts.ts'
import { type ReplicationFilters, readFilters } from './replication/filters.ts'

const CONSUMER = 'replication'

/**
 * Follows the feed, and begins an execution of each event-based rule for each tag that was set, for each that was deleted, by itself or with
 * its repository, where the rule wants that, for the tags of each artifact that something refers to now (a signature), and for the tags of each
 * artifact whose labels changed where the rule asks for labels. What happens to one tag while an
 * execution for it waits changes that execution.
 */
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
  const hard: HardChange = { seq: 0, failures: 0 }
  while (!signal.aborted) {
    try {
      await follow(db, clock, log, signal, hard)
    } catch (error) {
      if (signal.aborted) return
      log.error({ err: error }, 'The feed of changes cannot be followed.')
      await pause(clock, POLL_MS, signal).catch(() => undefined)
    }
  }
}

/** The change that could not be followed last, and how often in a row. */
interface HardChange {
  seq: number
  failures: number
}

async function follow(db: Database, clock: Clock, log: Log, signal: AbortSignal, hard: HardChange): Promise<void> {
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
    const head = await changesWithin(db, clock, cursor, cursor > saved ? due : undefined, signal)
    if (head === undefined) continue
    const policies = await enabledReplicationPolicies(db, 'event_based')
    if (policies.length === 0) {
      cursor = head
      continue
    }
    const batch = await readChanges(db, cursor, CHANGES_BATCH)
    for (const change of batch.filter(isFollowed)) {
      try {
        for (const policy of policies) await react(db, log, change, policy, signal)
      } catch (error) {
        signal.throwIfAborted()
        hard.failures = hard.seq === change.seq ? hard.failures + 1 : 1
        hard.seq = change.seq
        // The database may be away for a moment. What fails again and again is the change, and it keeps nobody else's from being followed.
        if (hard.failures < CHANGE_ATTEMPTS) throw error
        log.error({ err: error, seq: change.seq, kind: change.kind, subject: change.subject }, 'A change cannot be followed, and is passed over.')
      }
    }
    cursor = batch.at(-1)?.seq ?? cursor
    // Whoever makes a rule means what comes after it: nothing from before is looked at again.
    if (batch.some(isOfRules)) savedAt = Number.NEGATIVE_INFINITY
  }
}

/** Waits for changes behind the cursor and resolves with the last; undefined: none came in so many milliseconds (undefined: waits for ever). @throws the signal's reason */
async function changesWithin(db: Database, clock: Clock, cursor: number, ms: number | undefined, signal: AbortSignal): Promise<number | undefined> {
  if (ms === undefined) return await db.changesAvailable(cursor, signal)
  const ending = new AbortController()
  const stop = clock.after(ms, () => ending.abort(TIME_OVER))
  try {
    return await db.changesAvailable(cursor, AbortSignal.any([signal, ending.signal]))
  } catch (error) {
    if (error === TIME_OVER) return undefined
    throw error
  } finally {
    stop()
  }
}

const TIME_OVER = Symbol('time over')

const isOfRules = ({ kind }: Change) => kind.startsWith('replication.policy.')

const FOLLOWED: ReadonlySet<Change['kind']> = new Set([
  'manifest.put',
  'tag.set',
  'tag.version',
  'tag.deleted',
  'repository.deleted',
  'artifact.labelled',
  'artifact.unlabelled',
])

function isFollowed({ kind }: Change): boolean {
  return FOLLOWED.has(kind)
}

async function react(db: Database, log: Log, change: Change, policy: ReplicationPolicy, signal: AbortSignal): Promise<void> {
  if (policy.sourceEndpointId !== null) return
  let filters: ReplicationFilters
  try {
    filters = readFilters(policy.filters)
  } catch (error) {
    // One rule that cannot be read must not keep the others from theirs.
    log.warn({ err: error, policy: policy.id }, 'A replication rule cannot be followed.')
    return
  }
  const operation = change.kind === 'tag.deleted' || change.kind === 'repository.deleted' ? 'deletion' : 'copy'
  if (operation === 'deletion' && !policy.replicateDeletion) return
  for (const { repository, tag } of await affected(db, change, filters)) {
    if (!filters.name(repository) || (tag !== undefined && !filters.tag(tag))) continue
    if (filters.artifact !== undefined) {
      // What was deleted has no labels any more that could be asked for: it stays at the destination.
      const facts = operation === 'copy' && tag !== undefined ? await localFacts(db)(repository, { tag }, signal) : undefined
      if (facts === undefined || !filters.artifact(facts)) continue
    }
    const only = { repository, tag, operation, seq: change.seq } as const
    await startExecutionForEvent(db, { policyId: policy.id, operator: change.actor }, only, db.clock.now() + DEBOUNCE_MS)
  }
}

/** The tags that a change is about (without a tag: all of a repository that is gone); those of an artifact whose labels changed only where a filter may see that. */
async function affected(
  db: Database,
  { kind, subject }: Change,
  filters: ReplicationFilters,
): Promise<readonly { readonly repository: RepositoryName; readonly tag: Tag | undefined }[]> {
  if (kind === 'repository.deleted') return isRepositoryName(subject) ? [{ repository: subject, tag: undefined }] : []
  if (kind === 'tag.set' || kind === 'tag.version' || kind === 'tag.deleted') {
    const colon = subject.lastIndexOf(':')
    const repository = subject.slice(0, colon)
    const tag = subject.slice(colon + 1)
    if (!isRepositoryName(repository) || !isTag(tag)) return []
    // What is set beside an artifact travels with it, also where the rule asks for other tags.
    const about = kind === 'tag.deleted' || filters.tag(tag) ? [] : await tagsAbout(db, repository, { tag })
    return [tag, ...about].map((name) => ({ repository, tag: name }))
  }
  if (kind !== 'manifest.put' && filters.artifact === undefined) return []
  const at = subject.indexOf('@')
  const repository = subject.slice(0, at)
  const digest = subject.slice(at + 1)
  if (!isRepositoryName(repository) || !isDigest(digest)) return []
  if (kind === 'manifest.put') return (await tagsAbout(db, repository, { digest })).map((tag) => ({ repository, tag }))
  return ((await findArtifact(db, repository, { digest }))?.tags ?? []).map(({ name }) => ({ repository, tag: name }))
}
