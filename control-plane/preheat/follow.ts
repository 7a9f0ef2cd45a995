import type { Log } from '../../registry/log.ts'
import { isDigest } from '../../registry/spec/digests.ts'
import { isRepositoryName, isTag } from '../../registry/spec/names.ts'
import type { AuditRow } from '../../schema/audit/read.ts'
import type { Database } from '../../schema/database.ts'
import { anyPreheatOnPush, preheatOnPush, type TaggedArtifact } from '../../schema/preheat.ts'
import type { FollowAuditOptions } from '../runs/follow-audit.ts'
import { startPreheat } from './start.ts'

/** Begins the policies that follow pushes, for each tag that was pushed; what is begun is begun once. */
export function preheatsFor({ db, log }: { readonly db: Database; readonly log: Log }): Pick<FollowAuditOptions, 'wanted' | 'react'> {
  return { wanted: () => anyPreheatOnPush(db), react: (rows) => react(db, log, rows) }
}

async function react(db: Database, log: Log, rows: readonly AuditRow[]): Promise<void> {
  for (const row of rows) {
    const only = pushedTag(row)
    if (only === undefined || row.projectId === null) continue
    for (const policy of await preheatOnPush(db, row.projectId)) {
      try {
        await startPreheat(db, policy, { trigger: 'EVENT', only, key: `preheat:${policy.id}:${row.id}` })
      } catch (error) {
        // One policy that cannot be read must not keep the others from theirs.
        log.warn({ err: error, policy: policy.id }, 'A preheat policy could not be begun.')
      }
    }
  }
}

function pushedTag({ operation, resourceType, resource, detail }: AuditRow): TaggedArtifact | undefined {
  if (operation !== 'create' || resourceType !== 'artifact' || detail === '') return undefined
  const colon = resource.lastIndexOf(':')
  const [repository, tag] = [resource.slice(0, colon), resource.slice(colon + 1)]
  const { after } = JSON.parse(detail) as { readonly after?: unknown }
  if (!isRepositoryName(repository) || !isTag(tag) || typeof after !== 'string' || !isDigest(after)) return undefined
  // What was pushed this moment carries no label yet.
  return { repository, tag, digest: after, labels: [] }
}
