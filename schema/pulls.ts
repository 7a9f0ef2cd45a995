import { and, eq, lt, sql as raw, type SQL } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import type { PullBatch, Pulls } from '../mesh/pulls.ts'
import type { Database } from './database.ts'
import { PULL_ROWS } from './limits.ts'
import { pulls as pullLog, pullSpools } from './tables/pulls.ts'
import { manifests, repositories, tags } from './tables/repositories.ts'

/** Keeps who pulled what, and counts it where it still exists. Many in one transaction: whoever serves them collects them first. Not in the feed. */
export async function recordPulls(db: Database, pulls: readonly Pulls[]): Promise<void> {
  for (let from = 0; from < pulls.length; from += PULL_ROWS) {
    await db.write(({ sql }) => record(sql, pulls.slice(from, from + PULL_ROWS), undefined))
  }
}

/** The same for a batch from an edge, in one transaction. False: it was taken before, and nothing is counted again. */
export async function takeSpooledPulls(db: Database, edge: string, { spool, number, pulls, lost }: PullBatch): Promise<boolean> {
  return await db.write(async ({ sql }) => {
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
    await record(sql, pulls, edge)
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

async function record(sql: LibSQLDatabase, pulls: readonly Pulls[], edge: string | undefined): Promise<void> {
  if (pulls.length === 0) return
  await sql.insert(pullLog).values(pulls.map((some) => ({ ...some, edge })))
  for (const { repository, digest, tag, count, last } of pulls) {
    const row = await sql
      .update(repositories)
      .set({ pullCount: raw`${repositories.pullCount} + ${count}` })
      .where(eq(repositories.name, repository))
      .returning({ id: repositories.id })
      .get()
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

function later(column: typeof manifests.pulledAt | typeof tags.pulledAt, at: number): SQL {
  return raw`max(coalesce(${column}, 0), ${at})`
}
