import { fileURLToPath } from 'node:url'
import type { Transaction } from '@libsql/client'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { createGrams } from './audit/names.ts'

const FOLDER = fileURLToPath(new URL('./migrations', import.meta.url))

/**
 * Brings the tables up to date, in the write transaction it is given: of two processes that start at once the second finds
 * everything done. The record of what was applied is drizzle-kit's.
 */
export async function migrate(transaction: Transaction): Promise<void> {
  await transaction.execute('CREATE TABLE IF NOT EXISTS __drizzle_migrations (id INTEGER PRIMARY KEY, hash text NOT NULL, created_at numeric)')
  const { rows } = await transaction.execute('SELECT max(created_at) FROM __drizzle_migrations')
  const applied = Number(rows[0]?.[0] ?? 0)
  for (const migration of readMigrationFiles({ migrationsFolder: FOLDER })) {
    if (migration.folderMillis <= applied) continue
    for (const statement of migration.sql) await transaction.execute(statement)
    await transaction.execute({
      sql: 'INSERT INTO __drizzle_migrations (hash, created_at) VALUES (?, ?)',
      args: [migration.hash, migration.folderMillis],
    })
  }
  await createGrams(transaction)
}
