import { expect, test } from 'vitest'
import { parseDigest } from '../registry/spec/digests.ts'
import { parseRepositoryName, parseTag } from '../registry/spec/names.ts'
import { seed, temporaryDatabase } from '../test/support/database.ts'
import { readAudit } from './audit/read.ts'
import { metadataStore } from './metadata-store.ts'
import { forgetPullsBefore, recordPulls, takeSpooledPulls } from './pulls.ts'
import { findRepositorySummary } from './repositories.ts'
import { pulls } from './tables/pulls.ts'
import { manifests, tags } from './tables/repositories.ts'

const app = parseRepositoryName('team/app')
const digest = parseDigest(`sha256:${'cd'.repeat(32)}`)
const pull = { subject: 'user:1', repository: app, digest, tag: parseTag('v1'), count: 2, first: 10, last: 20 }

test('a batch of an edge counts once, however often and in whatever process it is sent', async () => {
  await using temporary = await temporaryDatabase()
  const { db } = temporary
  await seed(db, { name: 'team' })
  const batch = (number: number, spool = 's1') => ({ spool, number, pulls: [pull], lost: 0 })
  expect(await Promise.all([takeSpooledPulls(db, 'e1', batch(1)), takeSpooledPulls(db, 'e1', batch(1))])).toEqual([true, false])
  expect(await takeSpooledPulls(db, 'e1', batch(2))).toBe(true)
  expect(await takeSpooledPulls(db, 'e1', batch(1))).toBe(false)
  // Another edge, and a spool that begins anew, count for themselves. Numbers may be left out.
  expect(await takeSpooledPulls(db, 'e2', batch(1))).toBe(true)
  expect(await takeSpooledPulls(db, 'e1', batch(7, 's2'))).toBe(true)
  const rows = await db.read.sql.select({ edge: pulls.edge, count: pulls.count }).from(pulls)
  expect(rows.map(({ edge, count }) => `${edge} ${count}`)).toEqual(['e1 2', 'e1 2', 'e2 2', 'e1 2'])
})

test('what is pulled is counted where it still is, and who did is remembered for a while', async () => {
  await using temporary = await temporaryDatabase()
  const { db } = temporary
  await seed(db, { name: 'team' })
  const bytes = new Uint8Array([1])
  const manifest = {
    descriptor: { mediaType: 'application/x', digest, size: 1 },
    bytes,
    parsed: { mediaType: 'application/x', blobs: [], manifests: [] },
  }
  await metadataStore(db).putManifest(app, { ...manifest, tags: [parseTag('v1')] }, 'user:1')
  await recordPulls(db, [pull, { ...pull, repository: parseRepositoryName('team/gone') }])
  await recordPulls(db, [])
  expect(await findRepositorySummary(db, app)).toMatchObject({ pullCount: 2 })
  const rest = async () => (await db.read.sql.select().from(pulls)).length
  expect([await rest(), await forgetPullsBefore(db, 20, 10), await rest()]).toEqual([2, 0, 2])
  expect([await forgetPullsBefore(db, 21, 1), await rest()]).toEqual([1, 1])
  expect(await findRepositorySummary(db, app)).toMatchObject({ pullCount: 2 })
})

test('of many that come at once, each counts for what it pulled, and the last says when', async () => {
  await using temporary = await temporaryDatabase()
  const { db } = temporary
  await seed(db, { name: 'team' })
  const other = parseDigest(`sha256:${'ef'.repeat(32)}`)
  const put = (bytes: Uint8Array, name: string) => {
    const of = name === 'v1' ? digest : other
    const parsed = { mediaType: 'application/x', blobs: [], manifests: [] }
    return metadataStore(db).putManifest(
      app,
      { descriptor: { mediaType: 'application/x', digest: of, size: 1 }, bytes, parsed, tags: [parseTag(name)] },
      'user:1',
    )
  }
  await put(new Uint8Array([1]), 'v1')
  await put(new Uint8Array([2]), 'v2')
  const { tag: _tag, ...untagged } = pull
  const many = Array.from({ length: 700 }, (_, n) => ({ ...pull, subject: `user:${n + 1}` as const, count: 1, last: 1_000 - n }))
  // The last: somebody pulled by a tag that has moved on since.
  await recordPulls(db, [...many, { ...untagged, last: 2_000 }, { ...pull, tag: parseTag('v2'), last: 3_000 }])
  expect(await findRepositorySummary(db, app)).toMatchObject({ pullCount: 700 + 2 + 2 })
  const seen = async (table: typeof manifests | typeof tags) =>
    Object.fromEntries((await db.read.sql.select({ digest: table.digest, at: table.pulledAt }).from(table)).map((row) => [row.digest, row.at]))
  expect(await seen(manifests)).toEqual({ [digest]: 3_000, [other]: null })
  expect(await seen(tags)).toEqual({ [digest]: 1_000, [other]: null })
  await recordPulls(db, [{ ...pull, last: 5 }])
  expect(await seen(tags)).toEqual({ [digest]: 1_000, [other]: null })
  const audited = await readAudit(db, 0, 2_000)
  expect(audited.filter(({ operation }) => operation === 'pull')).toHaveLength(700 + 2 + 2 + 2)
})
