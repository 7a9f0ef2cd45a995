import { sql as raw } from 'drizzle-orm'
import { z } from 'zod'
import type { Connection } from '../connection.ts'
import type { Database } from '../database.ts'
import { valuesOf } from '../values.ts'
import { rowAsJson } from './capture.ts'
import { MIRROR_PAGE_BYTES, MIRROR_PAGE_ROWS } from './limits.ts'
import { MIRRORED, type MirroredTable } from './treatment.ts'

export type Key = readonly (string | number)[]

/** Some rows of a table, in the order of its key. */
export interface FillPage {
  readonly rows: readonly string[]
  /** The key of the last row; undefined: the table has no more. */
  readonly next: Key | undefined
}

const quoted = (name: string) => `"${name}"`

/** The rows of a table after a key. What it takes in memory is a page, or the largest row. */
export async function readPage(db: Pick<Database, 'read'>, table: MirroredTable, after: Key | undefined): Promise<FillPage> {
  const limit = await rowsThatFit(db.read, table, after)
  const keys = table.key.map(quoted).join(', ')
  const rows = await db.read.sql.all<{ row: string; key: string }>(
    raw`SELECT ${raw.raw(rowAsJson(table, quoted(table.name)))} AS row, json_array(${raw.raw(keys)}) AS key FROM ${raw.raw(quoted(table.name))}
      ${beyond(table, after)} ORDER BY ${raw.raw(keys)} LIMIT ${limit}`,
  )
  const last = rows.at(-1)
  const next = last === undefined || rows.length < limit ? undefined : keyShape.parse(JSON.parse(last.key))
  return { rows: rows.map(({ row }) => row), next }
}

const keyShape = z.array(z.union([z.string(), z.number()]))

function beyond({ key }: MirroredTable, after: Key | undefined) {
  if (after === undefined) return raw``
  const values = raw.join(
    after.map((value) => raw`${value}`),
    raw`, `,
  )
  return raw`WHERE (${raw.raw(key.map(quoted).join(', '))}) > (${values})`
}

/** Their sizes are asked for before them: text may be as long as bytes, and so many rows of either would not fit anywhere. */
async function rowsThatFit(connection: Connection, table: MirroredTable, after: Key | undefined): Promise<number> {
  const sizes = await connection.sql.all<{ bytes: number }>(
    raw`SELECT octet_length(${raw.raw(rowAsJson(table, quoted(table.name)))}) AS bytes FROM ${raw.raw(quoted(table.name))} ${beyond(table, after)}
      ORDER BY ${raw.raw(table.key.map(quoted).join(', '))} LIMIT ${MIRROR_PAGE_ROWS}`,
  )
  let bytes = 0
  const fitting = sizes.findIndex((row) => {
    bytes += row.bytes
    return bytes > MIRROR_PAGE_BYTES
  })
  return fitting < 0 ? MIRROR_PAGE_ROWS : Math.max(1, fitting)
}

/** The last id that each table has given: an id is never given again, at the standby neither. */
export async function readSequences(db: Pick<Database, 'read'>): Promise<Readonly<Record<string, number>>> {
  const names = MIRRORED.map(({ name }) => name)
  const rows = await db.read.sql.all<{ name: string; seq: number }>(raw`SELECT name, seq FROM sqlite_sequence WHERE name IN ${valuesOf(names)}`)
  return Object.fromEntries(rows.map(({ name, seq }) => [name, seq]))
}
