import { sql as raw } from 'drizzle-orm'
import type { WriteConnection } from '../connection.ts'
import { MIRRORED, type MirroredTable } from './treatment.ts'

/** The triggers of a table: whatever writes to it, by whatever statement, is in the log by the same transaction. */
const VERBS = ['put', 'change', 'gone'] as const

const quoted = (name: string) => `"${name}"`
const triggerName = (table: MirroredTable, verb: (typeof VERBS)[number]) => quoted(`mirror_${verb}_${table.name}`)

/** A row as JSON: bytes in hexadecimal, everything else as it is. `from`: NEW, OLD, or the table. */
export function rowAsJson({ columns, bytes }: MirroredTable, from: string): string {
  const parts = columns.map((column) => {
    const value = `${from}.${quoted(column)}`
    return `'${column}', ${bytes.has(column) ? `hex(${value})` : value}`
  })
  return `json_object(${parts.join(', ')})`
}

function keyAsJson({ key }: MirroredTable, from: string): string {
  return `json_object(${key.map((column) => `'${column}', ${from}.${quoted(column)}`).join(', ')})`
}

/** Begins to log what is written: from the end of this transaction on, nothing is written without it. Again: as the tables are now. For functions of this room. */
export async function startCapture(connection: WriteConnection): Promise<void> {
  await stopCapture(connection)
  for (const table of MIRRORED) {
    const log = (kind: 'put' | 'gone', row: string) => `INSERT INTO mirror_log (kind, name, row) SELECT '${kind}', '${table.name}', ${row}`
    const loud = table.columns.filter((column) => !table.quiet.includes(column)).map(quoted)
    const moved = table.key.map((column) => `OLD.${quoted(column)} IS NOT NEW.${quoted(column)}`).join(' OR ')
    const statements = [
      `CREATE TRIGGER ${triggerName(table, 'put')} AFTER INSERT ON ${quoted(table.name)} BEGIN ${log('put', rowAsJson(table, 'NEW'))}; END`,
      `CREATE TRIGGER ${triggerName(table, 'change')} AFTER UPDATE OF ${loud.join(', ')} ON ${quoted(table.name)}
        BEGIN ${log('gone', keyAsJson(table, 'OLD'))} WHERE ${moved}; ${log('put', rowAsJson(table, 'NEW'))}; END`,
      `CREATE TRIGGER ${triggerName(table, 'gone')} AFTER DELETE ON ${quoted(table.name)} BEGIN ${log('gone', keyAsJson(table, 'OLD'))}; END`,
    ]
    for (const statement of statements) await connection.sql.run(raw.raw(statement))
  }
}

export async function stopCapture(connection: WriteConnection): Promise<void> {
  for (const table of MIRRORED) for (const verb of VERBS) await connection.sql.run(raw.raw(`DROP TRIGGER IF EXISTS ${triggerName(table, verb)}`))
}
