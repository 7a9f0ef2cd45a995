import { createClient } from '@libsql/client'
import { expect, it } from 'vitest'
import { verifyAudit } from '../../../schema/audit/verify.ts'
import { createUser } from '../../../schema/users.ts'
import { temporaryDatabase } from '../../support/database.ts'
import { generate, scaled } from './generate.ts'

it('what fills a database to measure it leaves rows that Atoll could have written', async () => {
  await using held = await temporaryDatabase()
  // The owner of it all: an origin has made him when it is stopped to be filled.
  await createUser(held.db, { username: 'admin', admin: true }, 'system')
  const amounts = { ...scaled(0), projects: 20, repositories: 40, artifacts: 400, auditEntries: 200 }
  await generate(held.url, amounts, () => {})

  const client = createClient({ url: held.url })
  expect((await client.execute('PRAGMA foreign_key_check')).rows).toEqual([])
  expect((await client.execute('PRAGMA integrity_check')).rows[0]?.integrity_check).toBe('ok')
  expect((await client.execute('SELECT count(*) AS many FROM tags')).rows[0]?.many).toBe(amounts.artifacts)
  client.close()
  for await (const { rows, faults } of verifyAudit(held.db)) {
    expect(faults).toEqual([])
    expect(rows).toBeGreaterThan(0)
  }
})
