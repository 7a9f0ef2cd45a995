import { asc, eq, gte, lt } from 'drizzle-orm'
import type { Database } from './database.ts'
import { workerPools } from './tables/worker-pools.ts'

/** A process that does jobs. Times in milliseconds since the epoch. */
export type WorkerPool = typeof workerPools.$inferSelect

/** Says that it is there. Those that have been silent since `gone` are forgotten. */
export async function seeWorkerPool(db: Database, pool: Omit<WorkerPool, 'seenAt'>, gone: number): Promise<void> {
  const seenAt = db.clock.now()
  await db.write(async ({ sql }) => {
    await sql
      .insert(workerPools)
      .values({ ...pool, seenAt })
      .onConflictDoUpdate({ target: workerPools.id, set: { seenAt } })
    await sql.delete(workerPools).where(lt(workerPools.seenAt, gone))
  })
}

export async function dropWorkerPool(db: Database, id: string): Promise<void> {
  await db.write(({ sql }) => sql.delete(workerPools).where(eq(workerPools.id, id)))
}

/** Those that were there since `since`, the oldest first. */
export function listWorkerPools(db: Database, since: number): Promise<WorkerPool[]> {
  return db.read.sql.select().from(workerPools).where(gte(workerPools.seenAt, since)).orderBy(asc(workerPools.startedAt))
}
