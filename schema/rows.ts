import { type GetColumnData, sql as raw, type SQL } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core'

export type Columns = Readonly<Record<string, SQLiteColumn>>
export type RowOf<C extends Columns> = { readonly [K in keyof C]: GetColumnData<C[K]> }

/**
 * Reads many rows at once: `from` is the rest of the statement behind its columns. They come as one text of JSON, since the driver takes 35 µs for a
 * row of sixteen columns, and this takes 6. Not for columns of bytes, nor for integers above 2^53.
 */
export async function readRows<C extends Columns>(sql: LibSQLDatabase, columns: C, from: SQL): Promise<RowOf<C>[]> {
  const named = Object.entries(columns)
  const list = raw.join(
    named.map(([, column]) => raw`${column}`),
    raw`, `,
  )
  const { rows } = await sql.get<{ rows: string }>(raw`SELECT json_group_array(json_array(${list})) AS rows ${from}`)
  return (JSON.parse(rows) as unknown[][]).map(
    (values) => Object.fromEntries(named.map(([name, column], at) => [name, shown(column, values[at])])) as RowOf<C>,
  )
}

const shown = (column: SQLiteColumn, value: unknown) => (value === null ? null : column.mapFromDriverValue(value))
