import { eq } from 'drizzle-orm'
import { tell } from './changes.ts'
import type { Database } from './database.ts'
import { settings } from './tables/settings.ts'

/** What was set under this key; undefined: nothing. The caller checks its shape. */
export async function readSetting(db: Database, key: string): Promise<unknown> {
  return (await db.read.sql.select({ value: settings.value }).from(settings).where(eq(settings.key, key)).get())?.value
}

export async function readSettings(db: Database): Promise<ReadonlyMap<string, unknown>> {
  const rows = await db.read.sql.select({ key: settings.key, value: settings.value }).from(settings)
  return new Map(rows.map((row) => [row.key, row.value]))
}

/** The value is any JSON but null. The feed tells the key, never the value. */
export async function writeSetting(db: Database, key: string, value: NonNullable<unknown>, actor: string): Promise<void> {
  await writeSettings(db, [{ key, value }], actor)
}

/** The same for several at once; undefined: nothing is set any more. */
export async function writeSettings(
  db: Database,
  entries: readonly { readonly key: string; readonly value: NonNullable<unknown> | undefined }[],
  actor: string,
): Promise<void> {
  await db.write(async (connection) => {
    const { sql } = connection
    const updatedAt = db.clock.now()
    for (const { key, value } of entries) {
      const before = await sql.select({ value: settings.value }).from(settings).where(eq(settings.key, key)).get()
      if (JSON.stringify(before?.value) === JSON.stringify(value)) continue
      if (value === undefined) await sql.delete(settings).where(eq(settings.key, key))
      else await sql.insert(settings).values({ key, value, updatedAt }).onConflictDoUpdate({ target: settings.key, set: { value, updatedAt } })
      await tell(db, connection, { actor, kind: 'setting.updated', subject: key })
    }
  })
}

/** Sets it if nothing is set, and gives what is set then: of several processes that start at once, all get the same. */
export async function settleSetting(db: Database, key: string, value: NonNullable<unknown>): Promise<unknown> {
  return await db.write(async ({ sql }) => {
    await sql.insert(settings).values({ key, value, updatedAt: db.clock.now() }).onConflictDoNothing()
    return (await sql.select({ value: settings.value }).from(settings).where(eq(settings.key, key)).get())?.value
  })
}
