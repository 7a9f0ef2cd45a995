import { and, eq, sql as raw } from 'drizzle-orm'
import type { Database } from './database.ts'
import { leases } from './tables/leases.ts'

/** Takes or keeps what only one process does at a time, for so many milliseconds. False: another has it. */
export async function takeLease(db: Database, name: string, owner: string, ms: number): Promise<boolean> {
  const now = db.clock.now()
  const set = { owner, until: now + ms }
  const held = await db.write(({ sql }) =>
    sql
      .insert(leases)
      .values({ name, ...set })
      .onConflictDoUpdate({ target: leases.name, set, setWhere: raw`${leases.owner} = ${owner} OR ${leases.until} <= ${now}` })
      .returning({ name: leases.name }),
  )
  return held.length > 0
}

/** Gives it up at once, for another to take. */
export async function dropLease(db: Database, name: string, owner: string): Promise<void> {
  await db.write(({ sql }) => sql.delete(leases).where(and(eq(leases.name, name), eq(leases.owner, owner))))
}
