import { inArray, sql as raw } from 'drizzle-orm'
import { z } from 'zod'
import type { Digest } from '../../registry/spec/digests.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { forgetAllAuditNames } from '../audit/names.ts'
import { lastChange } from '../change-watch.ts'
import type { WriteConnection } from '../connection.ts'
import type { Database } from '../database.ts'
import { mirrorOwed } from '../tables/sites.ts'
import { stopCapture } from './capture.ts'
import { clearLog, type LogBatch, type LogEntry } from './log.ts'
import { type Filling, putPair, putReached, type SitePair } from './pair.ts'
import { FORGOTTEN, MIRRORED, type MirroredTable, mirroredTable } from './treatment.ts'

const quoted = (name: string) => `"${name}"`
const rowShape = z.record(z.string(), z.union([z.string(), z.number(), z.null()]))

/** A row, by its columns. */
export type Row = z.infer<typeof rowShape>

export function parseRow(text: string): Row {
  return rowShape.parse(JSON.parse(text))
}

/** Takes in a batch of the primary's log, and that it was taken in, in one transaction. */
export async function applyLog(db: Database, { entries, upto }: LogBatch): Promise<void> {
  await db.writeLocal(async (connection) => {
    forgetOwn(connection)
    for (const run of runsOf(entries)) {
      const table = tableNamed(run.name)
      if (run.kind === 'put') await putRows(connection, table, run.rows)
      else {
        await dropRows(connection, table, run.rows)
        if (table.name === 'blobs') await noteUnnamed(connection, run.rows)
      }
    }
    if (entries.some(({ name }) => name === 'changes')) connection.lastChange = await lastChange(connection)
    await putReached(connection, upto, db.clock.now())
  })
}

/** Takes in a page of a table while a standby is filled. The first one takes away what the table held. */
export async function applyPage(
  db: Database,
  table: MirroredTable,
  rows: readonly string[],
  pair: SitePair & { readonly filling: Filling },
  first: boolean,
): Promise<void> {
  await db.writeLocal(async (connection) => {
    forgetOwn(connection)
    if (first) await connection.sql.run(raw.raw(`DELETE FROM ${quoted(table.name)}`))
    if (rows.length > 0) await putRows(connection, table, rows)
    await putPair(connection, pair, db.clock.now())
  })
}

/** Becomes a standby that has nothing yet: what was of this site alone is forgotten, and the numbers of its log go on. */
export async function beginFilling(db: Database, pair: SitePair, reached: number): Promise<void> {
  await db.writeLocal(async (connection) => {
    forgetOwn(connection)
    await stopCapture(connection)
    await clearLog(connection)
    // Before its tables are emptied like all others: one by one its rows would take as long as they took to come.
    await forgetAllAuditNames(connection)
    for (const name of FORGOTTEN) await connection.sql.run(raw.raw(`DELETE FROM ${quoted(name)}`))
    await putPair(connection, pair, db.clock.now(), reached)
  })
}

/** Ids that the primary has given are not given here either. */
export async function applySequences(db: Database, sequences: Readonly<Record<string, number>>): Promise<void> {
  await db.writeLocal(async ({ sql }) => {
    for (const { name } of MIRRORED) {
      const seq = sequences[name]
      if (seq === undefined) continue
      await sql.run(
        raw`INSERT INTO sqlite_sequence (name, seq) SELECT ${name}, 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ${name})`,
      )
      await sql.run(raw`UPDATE sqlite_sequence SET seq = max(seq, ${seq}) WHERE name = ${name}`)
    }
  })
}

/** Blobs whose bytes could not be had. */
export async function oweBlobs(db: Database, digests: readonly Digest[]): Promise<void> {
  if (digests.length === 0) return
  await db.writeLocal(({ sql }) =>
    sql
      .insert(mirrorOwed)
      .values(digests.map((digest) => ({ digest })))
      .onConflictDoNothing(),
  )
}

/** Those of them that are still named: more than are worth reading at once are told next time. */
// The few that are owed are looked up among all blobs, never the other way round: that is what CROSS says to SQLite.
export async function owedBlobs(db: Database): Promise<readonly Digest[]> {
  const rows = await db.read.sql.all<{ digest: Digest }>(raw`SELECT o.digest FROM mirror_owed o CROSS JOIN blobs b ON b.digest = o.digest LIMIT 1000`)
  return rows.map(({ digest }) => digest)
}

/** Blobs whose rows went, and whose bytes may still be here. As many as are worth deleting at once. */
export async function unnamedBlobs(db: Database): Promise<readonly Digest[]> {
  const rows = await db.read.sql.all<{ digest: Digest }>(
    raw`SELECT digest FROM mirror_owed o WHERE NOT EXISTS (SELECT 1 FROM blobs b WHERE b.digest = o.digest) LIMIT 1000`,
  )
  return rows.map(({ digest }) => digest)
}

/** Their bytes are here now, or gone with their rows. */
export async function settleOwed(db: Database, digests: readonly Digest[]): Promise<void> {
  if (digests.length > 0) await db.writeLocal(({ sql }) => sql.delete(mirrorOwed).where(inArray(mirrorOwed.digest, [...digests])))
}

/** What the connection remembers of what it wrote itself: the rows are another's now. */
function forgetOwn(connection: WriteConnection): void {
  connection.auditHead = undefined
  connection.names.clear()
}

/** Entries of one kind for one table that follow one another go in one statement. */
function* runsOf(entries: readonly LogEntry[]): Generator<{ kind: LogEntry['kind']; name: string; rows: string[] }> {
  let run: { kind: LogEntry['kind']; name: string; rows: string[] } | undefined
  for (const { kind, name, row } of entries) {
    if (run !== undefined && run.kind === kind && run.name === name) run.rows.push(row)
    else {
      if (run !== undefined) yield run
      run = { kind, name, rows: [row] }
    }
  }
  if (run !== undefined) yield run
}

/**
 * A row takes the place of every other that it cannot stand beside: while a standby is filled it has rows of different moments, and the log
 * brings back what was displaced.
 */
async function putRows({ sql }: WriteConnection, table: MirroredTable, rows: readonly string[]): Promise<void> {
  const given = Object.keys(parseRow(rows[0] ?? '{}'))
  const unknown = given.filter((column) => !table.columns.includes(column))
  if (unknown.length > 0) throw newer(`${table.name}.${unknown.join(', ')}`)
  const columns = table.columns.filter((column) => given.includes(column))
  const values = columns.map((column) => {
    const value = `json_extract(value, '$."${column}"')`
    return table.bytes.has(column) ? `unhex(${value})` : value
  })
  await sql.run(
    raw`INSERT OR REPLACE INTO ${raw.raw(quoted(table.name))} (${raw.raw(columns.map(quoted).join(', '))})
      SELECT ${raw.raw(values.join(', '))} FROM json_each(${`[${rows.join(',')}]`}) ORDER BY key`,
  )
}

async function dropRows({ sql }: WriteConnection, table: MirroredTable, keys: readonly string[]): Promise<void> {
  const values = table.key.map((column) => `json_extract(value, '$."${column}"')`).join(', ')
  await sql.run(
    raw`DELETE FROM ${raw.raw(quoted(table.name))} WHERE (${raw.raw(table.key.map(quoted).join(', '))})
      IN (SELECT ${raw.raw(values)} FROM json_each(${`[${keys.join(',')}]`}))`,
  )
}

/** The transaction that takes a blob's row away says so: its bytes go afterwards, and a crash in between must not forget them. */
async function noteUnnamed({ sql }: WriteConnection, keys: readonly string[]): Promise<void> {
  await sql.run(
    raw`INSERT INTO mirror_owed (digest) SELECT json_extract(value, '$.digest') FROM json_each(${`[${keys.join(',')}]`}) WHERE true ON CONFLICT DO NOTHING`,
  )
}

function tableNamed(name: string): MirroredTable {
  const table = mirroredTable(name)
  if (table === undefined) throw newer(name)
  return table
}

function newer(what: string): RegistryError {
  return new RegistryError('UNSUPPORTED', `The primary has ${what}, which this version does not know. Upgrade this standby first.`)
}
