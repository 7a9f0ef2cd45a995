import { getTableName, is } from 'drizzle-orm'
import { getTableConfig, SQLiteTable } from 'drizzle-orm/sqlite-core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseDigest } from '../registry/spec/digests.ts'
import { parseRepositoryName } from '../registry/spec/names.ts'
import { type TemporaryDatabase, temporaryDatabase } from '../test/support/database.ts'
import { headOfChanges, readChanges, readCursor, saveCursor } from './changes.ts'
import { addSigningKey, dropSigningKey, listSigningKeys, retireSigningKey, settleSigningKey } from './keys.ts'
import { readSetting, readSettings, settleSetting, writeSetting } from './settings.ts'
import * as tables from './tables/index.ts'
import { findTransfer, forgetTransfer, forgetTransfersBefore, rememberTransfer } from './transfers.ts'

let held: TemporaryDatabase
beforeEach(async () => {
  held = await temporaryDatabase()
})
afterEach(() => held[Symbol.asyncDispose]())

const key = (kid: string) => ({ kid, algorithm: 'EdDSA', publicJwk: { kty: 'OKP', kid }, sealedPrivate: 'sealed' })

describe('what an origin keeps of itself', () => {
  it('is settled once by processes that start together', async () => {
    const { db } = held
    const values = await Promise.all(['a', 'b', 'c'].map((value) => settleSetting(db, 'id', value)))
    expect(new Set(values).size).toBe(1)
    const keys = await Promise.all(['k1', 'k2', 'k3'].map((kid) => settleSigningKey(db, key(kid))))
    expect(new Set(keys.map((list) => JSON.stringify(list))).size).toBe(1)
    expect(await listSigningKeys(db)).toHaveLength(1)
  })

  it('tells which setting changed, never its value, and only when it did', async () => {
    const { db } = held
    for (let i = 0; i < 2; i++) await writeSetting(db, 'smtp', { password: 'hidden' }, 'user:1')
    const told = await readChanges(db, 0, 10)
    expect(told).toMatchObject([{ kind: 'setting.updated', subject: 'smtp', actor: 'user:1' }])
    expect(JSON.stringify(told)).not.toContain('hidden')
    expect(await readSetting(db, 'smtp')).toEqual({ password: 'hidden' })
    expect(await readSettings(db)).toEqual(new Map([['smtp', { password: 'hidden' }]]))
    expect(await readSetting(db, 'other')).toBeUndefined()
  })

  it('keys retire before they are dropped', async () => {
    const { db } = held
    await settleSigningKey(db, key('k1'))
    await addSigningKey(db, key('k2'), 'user:1')
    expect(await retireSigningKey(db, 'k1', 'user:1')).toBe(true)
    expect(await retireSigningKey(db, 'k1', 'user:1')).toBe(false)
    expect((await listSigningKeys(db)).map(({ kid, retiredAt }) => [kid, retiredAt === null]).sort()).toEqual([
      ['k1', false],
      ['k2', true],
    ])
    await dropSigningKey(db, 'k1', 'user:1')
    expect(await listSigningKeys(db)).toHaveLength(1)
  })

  it('cursors never go back', async () => {
    const { db } = held
    expect(await readCursor(db, 'edges')).toBeUndefined()
    for (const seq of [5, 9, 7]) await saveCursor(db, 'edges', seq)
    expect(await readCursor(db, 'edges')).toBe(9)
    expect(await headOfChanges(db)).toBe(0)
  })

  it('a transfer is remembered until it is done or forgotten', async () => {
    const { db } = held
    const transfer = { destination: 'endpoint:1', repository: parseRepositoryName('a/b'), digest: parseDigest(`sha256:${'a'.repeat(64)}`) }
    for (const location of ['/1', '/2']) await rememberTransfer(db, transfer, location)
    expect(await findTransfer(db, transfer)).toBe('/2')
    await forgetTransfersBefore(db, 1, 10)
    expect(await findTransfer(db, transfer)).toBe('/2')
    await forgetTransfer(db, transfer)
    expect(await findTransfer(db, transfer)).toBeUndefined()
  })
})

describe('the migrations', () => {
  it('make the tables, columns and indexes that the code says', async () => {
    for (const table of Object.values(tables).filter((value) => is(value, SQLiteTable))) {
      const name = getTableName(table)
      await held.db.read.sql.select().from(table).limit(1)
      const { indexes } = getTableConfig(table)
      const rows = await held.db.read.sql.all<{ name: string }>(
        `SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = '${name}' AND sql IS NOT NULL`,
      )
      expect(rows.map((row) => row.name).sort()).toEqual(indexes.map((index) => index.config.name).sort())
    }
  })
})
