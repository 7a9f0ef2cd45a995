import { expect, test } from 'vitest'
import { parseDigest } from '../registry/spec/digests.ts'
import { parseRepositoryName, parseTag } from '../registry/spec/names.ts'
import { seed, temporaryDatabase } from '../test/support/database.ts'
import { metadataStore } from './metadata-store.ts'
import { forgetPullsBefore, recordPulls, takeSpooledPulls } from './pulls.ts'
import { findRepositorySummary } from './repositories.ts'
import { pulls } from './tables/pulls.ts'

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
