import { sql as raw } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { seed, temporaryDatabase } from '../../test/support/database.ts'
import type { Database } from '../database.ts'
import { type Key, readPage } from './fill.ts'
import { MIRROR_PAGE_BYTES, MIRROR_PAGE_ROWS } from './limits.ts'
import { type MirroredTable, mirroredTable } from './treatment.ts'

const SMALL = 2_500
const LARGE = 60
const LARGE_BYTES = 200_000
const HUGE_BYTES = 5 * 1024 * 1024

async function pagesOf(db: Database, table: MirroredTable): Promise<string[][]> {
  const pages: string[][] = []
  for (let after: Key | undefined, first = true; first || after !== undefined; first = false) {
    const page = await readPage(db, table, after)
    pages.push([...page.rows])
    after = page.next
  }
  return pages
}

function tableNamed(name: string): MirroredTable {
  const table = mirroredTable(name)
  if (table === undefined) throw new TypeError(`There is no table ${name}.`)
  return table
}

it('a page of a table holds so many rows and so many bytes at most, or one row, and every row comes once', async () => {
  await using held = await temporaryDatabase()
  const { db } = held
  await seed(db)
  const bytes = (n: number) => (n === 7 ? HUGE_BYTES : LARGE_BYTES)
  await db.write(async ({ sql }) => {
    const count = (upto: number) => raw`(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${upto}) SELECT i FROM n)`
    await sql.run(raw`INSERT INTO cursors (consumer, seq, updated_at) SELECT 'c' || i, i, 0 FROM ${count(SMALL)}`)
    // A row is large by its bytes, or by its text.
    for (let n = 0; n < LARGE; n++) {
      await sql.run(raw`INSERT INTO manifest_contents (digest, bytes) VALUES (${`sha256:${n}`}, zeroblob(${bytes(n) / 2}))`)
      await sql.run(raw`INSERT INTO settings (key, value, updated_at) VALUES (${`k${n}`}, ${JSON.stringify('x'.repeat(bytes(n)))}, 0)`)
    }
  })
  for (const [name, rows] of [
    ['cursors', SMALL],
    ['manifest_contents', LARGE],
    ['settings', LARGE],
  ] as const) {
    const pages = await pagesOf(db, tableNamed(name))
    for (const page of pages) {
      expect(page.length).toBeLessThanOrEqual(MIRROR_PAGE_ROWS)
      const size = page.reduce((sum, row) => sum + row.length, 0)
      if (page.length > 1) expect(size, name).toBeLessThanOrEqual(MIRROR_PAGE_BYTES)
    }
    const all = pages.flat()
    expect(new Set(all).size).toBe(all.length)
    expect(all.length, name).toBeGreaterThanOrEqual(rows)
    expect(pages.length).toBeLessThan(rows)
  }
})
