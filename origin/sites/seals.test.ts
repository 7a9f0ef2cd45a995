import { toSnakeCase } from 'drizzle-orm/casing'
import { getTableConfig, type SQLiteTable } from 'drizzle-orm/sqlite-core'
import { describe, expect, it } from 'vitest'
import { TREATMENT } from '../../schema/mirror/treatment.ts'
import * as tables from '../../schema/tables/index.ts'
import { resealRow } from './seals.ts'

describe('what one site seals and the other must open', () => {
  const mirrored = Object.entries(TREATMENT).filter(([, treatment]) => treatment === 'mirrored')

  it.each(mirrored)('no sealed column of %s goes over as it is', async (key) => {
    const { name, columns } = getTableConfig((tables as unknown as Record<string, SQLiteTable>)[key] as SQLiteTable)
    const sealed = columns.map((column) => toSnakeCase(column.name)).filter((column) => column.startsWith('sealed_'))
    const row = JSON.stringify({
      id: 1,
      kid: 'k',
      targets: '[]',
      value: '1',
      key: 'other',
      ...Object.fromEntries(sealed.map((column) => [column, 'ours'])),
    })
    const over = JSON.parse(await resealRow(name, row, async () => 'theirs')) as Record<string, unknown>
    expect(sealed.map((column) => [column, over[column]])).toEqual(sealed.map((column) => [column, 'theirs']))
  })

  it('and a header of a webhook, which is inside a column', async () => {
    const row = JSON.stringify({ targets: JSON.stringify([{ address: 'https://a', sealedAuthHeader: 'ours' }]) })
    expect(await resealRow('webhook_policies', row, async () => 'theirs')).toContain('theirs')
  })
})
