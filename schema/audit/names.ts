import type { Transaction } from '@libsql/client'
import { and, eq, gt, lte, sql as raw } from 'drizzle-orm'
import type { WriteConnection } from '../connection.ts'
import type { Database } from '../database.ts'
import { contains } from '../listing.ts'
import { auditLog, auditNamed, auditNames } from '../tables/audit.ts'
import { valuesOf } from '../values.ts'
import { lastAuditId } from './chain.ts'

/** The columns of the audit log whose values are written down by name, each once. */
export const NAMED = ['username', 'operation', 'resource_type', 'resource'] as const
export type Named = (typeof NAMED)[number]
const COLUMNS = { username: auditLog.username, operation: auditLog.operation, resource_type: auditLog.resourceType, resource: auditLog.resource }

/** Entries whose names are written down in one transaction: others wait for it. */
const STEP = 500
/** More names than these are not looked up one by one. */
export const NAMES_FOUND = 5_000
/** Of a text that an index of three letters each can find. */
const GRAM = 3

/**
 * What `schema/tables` cannot say: an index of every three letters of the names of resources (by SQLite's own FTS5), and that it follows its table.
 * Without places, which says less than is asked, so that what it finds is looked at again; it is a third as large so.
 */
const GRAMS = [
  `CREATE VIRTUAL TABLE IF NOT EXISTS audit_grams USING fts5(name, content='audit_names', content_rowid='id', tokenize='trigram', columnsize=0, detail=none)`,
  `CREATE TRIGGER IF NOT EXISTS audit_grams_put AFTER INSERT ON audit_names WHEN NEW.kind = 'resource'
    BEGIN INSERT INTO audit_grams (rowid, name) VALUES (NEW.id, NEW.name); END`,
  `CREATE TRIGGER IF NOT EXISTS audit_grams_gone AFTER DELETE ON audit_names WHEN OLD.kind = 'resource' AND EXISTS (SELECT 1 FROM audit_named)
    BEGIN INSERT INTO audit_grams (audit_grams, rowid, name) VALUES ('delete', OLD.id, OLD.name); END`,
] as const

export async function createGrams(transaction: Transaction): Promise<void> {
  for (const statement of GRAMS) await transaction.execute(statement)
}

/** Writes down the names of some more entries of the log. Resolves with whether there may be more. */
export async function noteAuditNames(db: Database): Promise<boolean> {
  const last = await lastAuditId(db)
  if (last <= (await named(db))) return false
  return await db.writeLocal(async ({ sql }) => {
    // Another process may have come here meanwhile.
    const from = (await sql.select({ upto: auditNamed.upto }).from(auditNamed).get())?.upto ?? 0
    const upto = Math.min(last, from + STEP)
    if (upto <= from) return false
    for (const kind of NAMED) {
      const column = COLUMNS[kind]
      await sql
        .insert(auditNames)
        .select(
          sql
            .select({ id: raw<number>`NULL`.as('id'), kind: raw<Named>`${kind}`.as('kind'), name: column })
            .from(auditLog)
            .where(and(gt(auditLog.id, from), lte(auditLog.id, upto), eq(auditLog.purged, false))),
        )
        .onConflictDoNothing()
    }
    await sql.insert(auditNamed).values({ id: 1, upto }).onConflictDoUpdate({ target: auditNamed.id, set: { upto } })
    return upto < last
  })
}

/** Forgets those of these names that no entry has any more. In the transaction that took the entries away. */
export async function forgetAuditNames({ sql }: WriteConnection, kind: 'username' | 'resource', names: ReadonlySet<string>): Promise<void> {
  if (names.size === 0) return
  await sql.run(raw`DELETE FROM audit_names WHERE kind = ${kind} AND name IN ${valuesOf(names)}
    AND NOT EXISTS (SELECT 1 FROM audit_log l WHERE l.${raw.identifier(kind)} = audit_names.name)`)
}

/** Forgets all that was written down, as if nothing had been. */
export async function forgetAllAuditNames({ sql }: WriteConnection): Promise<void> {
  // In this order: without a row of this, the trigger leaves alone what is emptied as a whole.
  await sql.run(raw`DELETE FROM "audit_named"`)
  await sql.run(raw`INSERT INTO audit_grams (audit_grams) VALUES ('delete-all')`)
  await sql.run(raw`DELETE FROM "audit_names"`)
}

/**
 * The names in a column of the log that `part` is in, whatever the case of ASCII letters; undefined: there are more than `NAMES_FOUND`.
 * What was not written down yet is found among the last entries.
 */
export async function namesWith(db: Database, kind: Named, part: string): Promise<readonly string[] | undefined> {
  // First how far it is written down: what comes to that meanwhile is then found twice, and not missed.
  const upto = await named(db)
  const { sql } = db.read
  const written = await sql
    .select({ name: auditNames.name })
    .from(auditNames)
    .where(and(grams(kind, part) ?? eq(auditNames.kind, kind), contains(auditNames.name, part)))
    .limit(NAMES_FOUND + 1)
  if (written.length > NAMES_FOUND) return undefined
  const column = COLUMNS[kind]
  // Not distinct ones: SQLite would read all names by their index for that.
  const late = await sql
    .select({ name: column })
    .from(auditLog)
    .where(and(gt(auditLog.id, upto), contains(column, part)))
    .limit(NAMES_FOUND + 1)
  return late.length > NAMES_FOUND ? undefined : [...new Set([...written, ...late].map(({ name }) => name))]
}

async function named(db: Database): Promise<number> {
  return (await db.read.sql.select({ upto: auditNamed.upto }).from(auditNamed).get())?.upto ?? 0
}

/** Every three letters of it; undefined: there are no three, or another kind of names. */
function grams(kind: Named, part: string) {
  const letters = [...part]
  // At a NUL the index would take the question for ended.
  if (kind !== 'resource' || letters.length < GRAM || part.includes('\0')) return undefined
  const each = new Set(letters.slice(GRAM - 1).map((_, at) => letters.slice(at, at + GRAM).join('')))
  const match = [...each].map((gram) => `"${gram.replaceAll('"', '""')}"`).join(' AND ')
  return raw`${auditNames.id} IN (SELECT rowid FROM audit_grams WHERE audit_grams MATCH ${match})`
}
