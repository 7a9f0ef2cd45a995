import { and, eq, lt, sql as raw, type SQL } from 'drizzle-orm'
import type { PullBatch, Pulls } from '../mesh/pulls.ts'
import { appendAudit } from './audit/chain.ts'
import { PULL } from './audit/events.ts'
import type { WriteConnection } from './connection.ts'
import type { Database } from './database.ts'
import { PULL_ROWS, PULLS_ALONE } from './limits.ts'
import { pulls as pullLog, pullSpools } from './tables/pulls.ts'
import { manifests, repositories, tags } from './tables/repositories.ts'

/** Keeps who pulled what, and counts it where it still exists. Many in one transaction: whoever serves them collects them first. Not in the feed. */
export async function recordPulls(db: Database, pulls: readonly Pulls[]): Promise<void> {
  for (let from = 0; from < pulls.length; from += PULL_ROWS) {
    await db.write((connection) => record(connection, pulls.slice(from, from + PULL_ROWS), undefined))
  }
}

/** The same for a batch from an edge, in one transaction. False: it was taken before, and nothing is counted again. */
export async function takeSpooledPulls(db: Database, edge: string, { spool, number, pulls, lost }: PullBatch): Promise<boolean> {
  return await db.write(async (connection) => {
    const { sql } = connection
    const updatedAt = db.clock.now()
    const taken = await sql
      .insert(pullSpools)
      .values({ edge, spool, number, lost, updatedAt })
      .onConflictDoUpdate({
        target: [pullSpools.edge, pullSpools.spool],
        set: { number, lost: raw`${pullSpools.lost} + ${lost}`, updatedAt },
        setWhere: lt(pullSpools.number, number),
      })
      .returning({ number: pullSpools.number })
      .get()
    if (taken === undefined) return false
    await record(connection, pulls, edge)
    return true
  })
}

/** Forgets who pulled what before `before`; counts stay. At most `limit` rows go; resolves with how many. */
export async function forgetPullsBefore(db: Database, before: number, limit: number): Promise<number> {
  const gone = await db.write(({ sql }) =>
    sql
      .delete(pullLog)
      .where(raw`${pullLog.id} IN (SELECT id FROM ${pullLog} WHERE ${lt(pullLog.last, before)} ORDER BY last LIMIT ${limit})`)
      .returning({ id: pullLog.id }),
  )
  return gone.length
}

async function record(connection: WriteConnection, pulls: readonly Pulls[], edge: string | undefined): Promise<void> {
  if (pulls.length === 0) return
  const { sql } = connection
  await sql.insert(pullLog).values(pulls.map((some) => ({ ...some, edge })))
  for (const some of pulls) {
    const { repository, digest, tag, count, last } = some
    const row = await sql
      .update(repositories)
      .set({ pullCount: raw`${repositories.pullCount} + ${count}` })
      .where(eq(repositories.name, repository))
      .returning({ id: repositories.id, projectId: repositories.projectId })
      .get()
    await auditPulls(connection, some, row?.projectId, edge)
    if (row === undefined) continue
    await sql
      .update(manifests)
      .set({ pulledAt: later(manifests.pulledAt, last) })
      .where(and(eq(manifests.repositoryId, row.id), eq(manifests.digest, digest)))
    if (tag === undefined) continue
    await sql
      .update(tags)
      .set({ pulledAt: later(tags.pulledAt, last) })
      .where(and(eq(tags.repositoryId, row.id), eq(tags.name, tag), eq(tags.digest, digest)))
  }
}

/** Each pull by itself, at the time it was or between the first and the last of its kind; of very many alike the rest is one entry. */
async function auditPulls(connection: WriteConnection, pulls: Pulls, projectId: number | undefined, edge: string | undefined): Promise<void> {
  const { subject, repository, digest, tag, client, count, first, last } = pulls
  const alone = Math.min(count, PULLS_ALONE)
  for (let at = 0; at < alone; at++) {
    const detail = { digest, ...(edge !== undefined && { edge }) }
    await appendAudit(connection, {
      ...PULL,
      time: Math.round(alone === 1 ? last : first + ((last - first) * at) / (alone - 1)),
      actor: subject,
      address: client ?? '',
      resource: tag === undefined ? `${repository}@${digest}` : `${repository}:${tag}`,
      projectId: projectId ?? null,
      succeeded: true,
      count: at === alone - 1 ? count - at : 1,
      detail: JSON.stringify(detail),
    })
  }
}

function later(column: typeof manifests.pulledAt | typeof tags.pulledAt, at: number): SQL {
  return raw`max(coalesce(${column}, 0), ${at})`
}
