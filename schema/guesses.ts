import { and, eq, gt, inArray, lte, sql as raw } from 'drizzle-orm'
import type { Database } from './database.ts'
import { guesses, knownAddresses } from './tables/guesses.ts'

/** Wrong secrets under one key. Times in milliseconds since the epoch. */
export type Guesses = typeof guesses.$inferSelect

/** Those under these keys whose window, of so many milliseconds, is not over. */
export function readGuesses(db: Database, keys: readonly string[], window: number): Promise<Guesses[]> {
  const now = db.clock.now()
  return db.read.sql
    .select()
    .from(guesses)
    .where(and(inArray(guesses.key, [...keys]), gt(guesses.since, now - window), lte(guesses.since, now)))
}

/** One more under each of these keys; what is older than a window is forgotten. */
export async function addGuess(db: Database, keys: readonly string[], window: number): Promise<void> {
  const now = db.clock.now()
  const over = raw`${guesses.since} <= ${now - window} OR ${guesses.since} > ${now}`
  await db.writeLocal(async ({ sql }) => {
    await sql
      .insert(guesses)
      .values(keys.map((key) => ({ key, failures: 1, since: now })))
      .onConflictDoUpdate({
        target: guesses.key,
        set: {
          failures: raw`CASE WHEN ${over} THEN 1 ELSE ${guesses.failures} + 1 END`,
          since: raw`CASE WHEN ${over} THEN ${now} ELSE ${guesses.since} END`,
        },
      })
    await sql.delete(guesses).where(lte(guesses.since, now - window))
  })
}

export async function forgetGuesses(db: Database, key: string): Promise<void> {
  await db.writeLocal(({ sql }) => sql.delete(guesses).where(eq(guesses.key, key)))
}

/** Whether an account was used from an address, by the key of both, after `after`. */
export async function isKnownAddress(db: Database, key: string, after: number): Promise<boolean> {
  const { key: column, usedAt } = knownAddresses
  const row = await db.read.sql
    .select({ key: column })
    .from(knownAddresses)
    .where(and(eq(column, key), gt(usedAt, after)))
    .get()
  return row !== undefined
}

/** Notes that it was; those of before `before` are forgotten. */
export async function noteKnownAddress(db: Database, key: string, before: number): Promise<void> {
  const usedAt = db.clock.now()
  await db.writeLocal(async ({ sql }) => {
    await sql.insert(knownAddresses).values({ key, usedAt }).onConflictDoUpdate({ target: knownAddresses.key, set: { usedAt } })
    await sql.delete(knownAddresses).where(lte(knownAddresses.usedAt, before))
  })
}
