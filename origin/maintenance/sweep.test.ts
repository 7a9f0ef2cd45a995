import { randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { systemClock } from '../../registry/clock.ts'
import { LocalRegistry } from '../../registry/local.ts'
import { parseDigest } from '../../registry/spec/digests.ts'
import { parseRepositoryName } from '../../registry/spec/names.ts'
import { enqueueJob, finishJob, leaseJob, listJobs } from '../../schema/jobs.ts'
import { metadataStore } from '../../schema/metadata-store.ts'
import { rememberTransfer } from '../../schema/transfers.ts'
import { createHasher } from '../../stores/hasher.ts'
import { memoryObjectStore } from '../../stores/memory-object-store.ts'
import { slicedBlobStore } from '../../stores/sliced-blob-store.ts'
import { memoryLog } from '../../test/support/bare-registry.ts'
import { TestClock } from '../../test/support/clock.ts'
import { seed, temporaryDatabase } from '../../test/support/database.ts'
import { until } from '../../test/support/until.ts'
import { keepClean } from './keep-clean.ts'
import { FIRST_SWEEP_MS, STRAY_DRAFT_MS, SWEEP_EVERY_MS, TRANSFERS_KEPT_MS } from './limits.ts'
import { Sweeper } from './sweep.ts'

const DAY = 86_400_000
const app = parseRepositoryName('team/app')
const { signal } = new AbortController()

async function origin() {
  const clock = new TestClock()
  const held = await temporaryDatabase({ clock: { now: () => clock.now(), after: systemClock.after } })
  await seed(held.db)
  const blobs = slicedBlobStore(memoryObjectStore())
  const local = new LocalRegistry({ blobs, metadata: metadataStore(held.db), clock: systemClock, createHasher, newId: randomUUID })
  const log = memoryLog()
  const sweeper = () =>
    new Sweeper({
      db: held.db,
      local,
      blobs,
      clock: { now: () => clock.now(), after: systemClock.after },
      log,
      uploadsExpireMs: 7 * DAY,
      historyMs: 90 * DAY,
    })
  return {
    db: held.db,
    clock,
    blobs,
    log,
    sweeper,
    uploads: local.as('user:1').repository(app).uploads,
    drafts: async () => (await blobs.drafts({ limit: 100 })).items,
    [Symbol.asyncDispose]: () => held[Symbol.asyncDispose](),
  }
}

const bytes = (text: string) => new Blob([text]).stream()

it('an upload that nobody goes on with is cancelled after its time, bytes and all, and each chunk gives it a new one', async () => {
  await using held = await origin()
  const { uploads, clock } = held
  const sweeper = held.sweeper()
  const [left, used] = [await uploads.begin(), await uploads.begin()]
  await uploads.append(left.id, bytes('half'))
  clock.advance(4 * DAY)
  await uploads.append(used.id, bytes('half'))
  clock.advance(3 * DAY)
  expect(await sweeper.sweep(signal)).toMatchObject({ uploads: 0, drafts: 0 })
  clock.advance(1)
  // Two at once: each upload goes once.
  const swept = await Promise.all([sweeper.sweep(signal), held.sweeper().sweep(signal)])
  expect(swept.reduce((sum, { uploads }) => sum + uploads, 0)).toBe(1)
  expect(await uploads.stat(left.id)).toBeUndefined()
  expect(await held.drafts()).toEqual([used.id])
  expect(await uploads.stat(used.id)).toMatchObject({ size: 4 })
})

it('an upload that is being written stays, whatever its record says', async () => {
  await using held = await origin()
  const { id } = await held.uploads.begin()
  const body = new TransformStream<Uint8Array, Uint8Array>()
  const writer = body.writable.getWriter()
  const appended = held.uploads.append(id, body.readable)
  await writer.write(new Uint8Array(10))
  held.clock.advance(8 * DAY)
  expect(await held.sweeper().sweep(signal)).toMatchObject({ uploads: 0 })
  expect(held.log.entries).toMatchObject([{ level: 'warn', fields: { upload: id } }])
  await writer.close()
  expect(await appended).toMatchObject({ size: 10 })
})

it('a draft that belongs to no upload goes when it is seen so again an hour later', async () => {
  await using held = await origin()
  await (await held.blobs.draft('stray').writer({ offset: 0 })).close()
  const { id } = await held.uploads.begin()
  const sweeper = held.sweeper()
  expect(await sweeper.sweep(signal)).toMatchObject({ drafts: 0 })
  held.clock.advance(STRAY_DRAFT_MS - 1)
  expect(await sweeper.sweep(signal)).toMatchObject({ drafts: 0 })
  held.clock.advance(1)
  expect(await sweeper.sweep(signal)).toMatchObject({ drafts: 1 })
  expect(await held.drafts()).toEqual([id])
})

it('what happened too long ago is forgotten, and nothing before that', async () => {
  await using held = await origin()
  const { db, clock } = held
  await enqueueJob(db, { kind: 'k', payload: {} })
  const job = await leaseJob(db, { kinds: ['k'], owner: 'me', leaseMs: 1_000 })
  if (job !== undefined) await finishJob(db, job)
  await enqueueJob(db, { kind: 'waits', payload: {} })
  await rememberTransfer(db, { destination: 'x', repository: app, digest: parseDigest(`sha256:${'a'.repeat(64)}`) }, 'location')
  clock.advance(TRANSFERS_KEPT_MS)
  expect(await held.sweeper().sweep(signal)).toMatchObject({ rows: 0 })
  clock.advance(1)
  expect(await held.sweeper().sweep(signal)).toMatchObject({ rows: 1 })
  clock.advance(90 * DAY - TRANSFERS_KEPT_MS)
  expect(await held.sweeper().sweep(signal)).toMatchObject({ rows: 1 })
  expect((await listJobs(db, {}, { page: 1, pageSize: 10 })).items).toMatchObject([{ kind: 'waits' }])
})

it('an origin sweeps soon after its start and then each hour, also after a sweep that failed, until it stops', async () => {
  const clock = new TestClock()
  const log = memoryLog()
  let sweeps = 0
  const sweeper = {
    sweep: async () => {
      if (++sweeps === 1) throw new Error('the store is away')
      return { uploads: 1, drafts: 0, rows: 0 }
    },
  }
  const cleaning = keepClean({ may: () => true, sweeper, clock, log })
  await clock.waitedFor(FIRST_SWEEP_MS)
  for (const wait of [FIRST_SWEEP_MS, SWEEP_EVERY_MS]) {
    const before = sweeps
    await clock.waitedFor(wait)
    clock.advance(wait)
    await until('it has swept', async () => sweeps === before + 1)
  }
  await clock.waitedFor(SWEEP_EVERY_MS)
  expect(log.entries.map(({ level }) => level)).toEqual(['error', 'info'])
  await cleaning.stop()
  clock.advance(SWEEP_EVERY_MS)
  expect(sweeps).toBe(2)
})
