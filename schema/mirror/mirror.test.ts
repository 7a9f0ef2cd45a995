import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseDigest } from '../../registry/spec/digests.ts'
import { parseManifest } from '../../registry/spec/manifests.ts'
import { OCI_MANIFEST } from '../../registry/spec/media-types.ts'
import { parseRepositoryName, parseTag } from '../../registry/spec/names.ts'
import { seed, temporaryDatabase } from '../../test/support/database.ts'
import { filling, pair } from '../../test/support/site-pair.ts'
import { verifyAudit } from '../audit/verify.ts'
import type { Database } from '../database.ts'
import { deleteRepository } from '../delete-repository.ts'
import { addLabel, createLabel, deleteLabel } from '../labels.ts'
import { metadataStore } from '../metadata-store.ts'
import { createProject, deleteProject } from '../projects.ts'
import { createRobot, deleteRobot } from '../robots.ts'
import { writeSetting } from '../settings.ts'
import { createUser, deleteUser, updateUser } from '../users.ts'
import { applyLog, applyPage, applySequences, beginFilling } from './apply.ts'
import { type Key, readPage, readSequences } from './fill.ts'
import { headOfLog, logReaches, readLog } from './log.ts'
import { readPair } from './pair.ts'
import { acknowledge, beginMirroring } from './primary.ts'
import { MIRRORED, TREATMENT } from './treatment.ts'

const app = parseRepositoryName('team/app')

const digestOf = (text: string | Uint8Array) => parseDigest(`sha256:${createHash('sha256').update(text).digest('hex')}`)

/** All rows of all mirrored tables. What nobody depends on may lag behind. */
async function contents(db: Database): Promise<Record<string, readonly string[]>> {
  const all: Record<string, readonly string[]> = {}
  for (const table of MIRRORED) {
    const rows: string[] = []
    for (let after: Key | undefined, first = true; first || after !== undefined; first = false) {
      const page = await readPage(db, table, after)
      rows.push(...page.rows)
      after = page.next
    }
    all[table.name] = rows
  }
  return all
}

async function follow(primary: Database, standby: Database): Promise<void> {
  for (;;) {
    const batch = await readLog(primary, (await readPair(standby))?.reached ?? 0)
    if (batch === undefined) return
    await applyLog(standby, batch)
  }
}

function manifestOf(n: number) {
  const layer = { mediaType: 'application/x', digest: digestOf(`layer ${n}`), size: 10 }
  const bytes = new TextEncoder().encode(
    JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config: layer, layers: [layer], annotations: { é: `${n}\u0000"` } }),
  )
  const descriptor = { mediaType: OCI_MANIFEST, digest: digestOf(bytes), size: bytes.byteLength }
  return { layer, bytes, descriptor, parsed: parseManifest(bytes, OCI_MANIFEST) }
}

async function push(db: Database, n: number, tag: string): Promise<void> {
  const store = metadataStore(db)
  const { layer, ...manifest } = manifestOf(n)
  await store.linkBlob(app, layer, await store.reserveBlob(layer.digest), 'user:1')
  await store.putManifest(app, { ...manifest, tags: [parseTag(tag)] }, 'user:1')
}

/** Things that people do, some of which fail: that is part of it. */
const DEEDS: readonly ((db: Database, n: number) => Promise<unknown>)[] = [
  (db, n) => push(db, n, `t${n % 3}`),
  (db, n) => metadataStore(db).deleteTag(app, parseTag(`t${n % 3}`), 'user:1'),
  (db) => deleteRepository(db, app, 'user:1'),
  (db, n) => createUser(db, { username: `u${n % 4}`, email: `u${n % 3}@example.com`, passwordHash: 'x' }, 'system'),
  (db, n) => updateUser(db, 2 + (n % 3), { email: `u${n % 5}@example.com` }, 'system'),
  (db, n) => deleteUser(db, 2 + (n % 3), 'system'),
  (db, n) => createProject(db, { name: `p${n % 3}`, ownerId: 1, public: true }, 'user:1'),
  (db, n) => deleteProject(db, 2 + (n % 3), 'user:1'),
  (db, n) => createLabel(db, { name: `l${n % 3}`, description: '', color: '', projectId: null }, 'user:1'),
  (db, n) => addLabel(db, { repository: app, digest: manifestOf(n).descriptor.digest }, 1 + (n % 3), 'user:1'),
  (db, n) => deleteLabel(db, 1 + (n % 3), 'user:1'),
  (db, n) => createRobot(db, { name: `r${n % 3}`, secretHash: `h${n}`, duration: -1, permissions: [], creator: 'user:1' }, 'user:1'),
  (db, n) => deleteRobot(db, 1 + (n % 3), 'user:1'),
  (db, n) => writeSetting(db, `k${n % 3}`, { n }, 'user:1'),
]

describe('a mirror of rows', () => {
  it('knows what becomes of every table there is, and its columns as they are', async () => {
    await using held = await temporaryDatabase()
    const { sql } = held.db.read
    const there = await sql.all<{ name: string }>(
      `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_\\_%' ESCAPE '\\' AND name NOT LIKE 'audit_grams%'`,
    )
    const local = Object.values(TREATMENT).filter((treatment) => treatment === 'local').length
    expect(there.length).toBe(MIRRORED.length + local)
    for (const table of MIRRORED) {
      const info = await sql.all<{ name: string; pk: number; type: string }>(`SELECT name, pk, type FROM pragma_table_info('${table.name}')`)
      expect(table.columns.toSorted()).toEqual(info.map(({ name }) => name).toSorted())
      expect(table.key.toSorted()).toEqual(
        info
          .filter(({ pk }) => pk > 0)
          .map(({ name }) => name)
          .toSorted(),
      )
      expect([...table.bytes]).toEqual(info.filter(({ type }) => type.toLowerCase() === 'blob').map(({ name }) => name))
    }
  })

  it('is the same as what it mirrors, whatever was written while it was filled and since', async () => {
    const deeds = fc.array(fc.tuple(fc.nat(DEEDS.length - 1), fc.nat(20)), { maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(deeds, deeds, fc.array(deeds, { maxLength: 4 }), async (before, after, during) => {
        await using one = await temporaryDatabase()
        await using two = await temporaryDatabase()
        const act = async (list: readonly (readonly [number, number])[]) => {
          for (const [deed, n] of list) await DEEDS[deed]?.(one.db, n).catch(() => undefined)
        }
        await seed(one.db)
        await seed(two.db, { name: 'own' })
        await act(before)
        const from = await beginMirroring(one.db, pair)
        two.db.replica(true)
        await beginFilling(two.db, filling, from)
        for (const [index, table] of MIRRORED.entries()) {
          const { rows } = await readPage(one.db, table, undefined)
          await act(during[index % 5] ?? [])
          await applyPage(two.db, table, rows, filling, true)
        }
        await applySequences(two.db, await readSequences(one.db))
        await follow(one.db, two.db)
        expect(await contents(two.db)).toEqual(await contents(one.db))
        await act(after)
        await follow(one.db, two.db)
        expect(await contents(two.db)).toEqual(await contents(one.db))
        expect(await readSequences(two.db)).toEqual(await readSequences(one.db))
        expect(await two.db.read.sql.all('PRAGMA foreign_key_check')).toEqual([])
        expect((await Array.fromAsync(verifyAudit(two.db))).at(-1)?.faults).toEqual([])
      }),
      { numRuns: 12 },
    )
  }, 120_000)

  it('has whole transactions in each batch, forgets what is there, and says when it has a hole', async () => {
    await using held = await temporaryDatabase()
    await seed(held.db)
    const from = await beginMirroring(held.db, pair)
    await push(held.db, 1, 'a')
    const first = await readLog(held.db, from)
    await push(held.db, 2, 'b')
    const head = await headOfLog(held.db)
    expect(first?.entries.some(({ name }) => name === 'tags')).toBe(true)
    await acknowledge(held.db, first?.upto ?? 0)
    expect(await logReaches(held.db, first?.upto ?? 0)).toBe(true)
    expect(await logReaches(held.db, from)).toBe(false)
    expect(await logReaches(held.db, head)).toBe(true)
    expect(await logReaches(held.db, head + 1)).toBe(false)
    await acknowledge(held.db, head)
    expect(await readLog(held.db, head)).toBeUndefined()
    expect(await headOfLog(held.db)).toBe(head)
  })
})
