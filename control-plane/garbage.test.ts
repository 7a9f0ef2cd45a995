import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { parseDigest } from '../registry/spec/digests.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import { parseRepositoryName } from '../registry/spec/names.ts'
import type { Database } from '../schema/database.ts'
import { garbageJob, garbageProgress } from '../schema/garbage-jobs.ts'
import { enqueueJob, findJob, type Job } from '../schema/jobs.ts'
import { putSchedule } from '../schema/schedules.ts'
import { type BareRegistry, bareRegistry } from '../test/support/bare-registry.ts'
import { controlPlaneOf } from '../test/support/control-plane.ts'
import { until } from '../test/support/until.ts'
import type { ControlPlaneOptions } from './start.ts'

const bytes = new TextEncoder().encode('nobody needs this')
const digest = parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)

/** A registry with one blob that no manifest names. */
async function withGarbage(): Promise<BareRegistry> {
  const site = await bareRegistry({ projects: ['team'] })
  const { uploads } = site.local.as('user:1').repository(parseRepositoryName('team/app'))
  const { id } = await uploads.begin()
  await uploads.append(id, new Blob([bytes]).stream())
  await uploads.finish(id, digest)
  return site
}

function start(site: BareRegistry, options: Partial<ControlPlaneOptions> = {}): AsyncDisposable {
  // Everything is old enough at once.
  const plane = controlPlaneOf(site, { garbageGraceMs: -1, ...options })
  return { [Symbol.asyncDispose]: () => plane.close() }
}

async function ended(db: Database, id: number): Promise<Job> {
  let job: Job | undefined
  await until('the collection has ended', async () => {
    job = await findJob(db, id)
    return job?.finishedAt !== null
  })
  if (job === undefined) throw new Error(`job ${id} is gone`)
  return job
}

it('a collection frees what nobody needs, and says what it did', async () => {
  await using site = await withGarbage()
  await using _ = start(site)
  const dry = await enqueueJob(site.database, { ...garbageJob({ untagged: true, dryRun: true, trigger: 'Manual' }) })
  expect(garbageProgress(await ended(site.database, dry.id)).state?.report).toMatchObject({ blobs: 1, bytes: bytes.length })
  expect(await site.blobs.stat(digest)).toEqual({ size: bytes.length })
  const real = await enqueueJob(site.database, { ...garbageJob({ untagged: true, dryRun: false, trigger: 'Manual' }) })
  const job = await ended(site.database, real.id)
  expect(job.state).toBe('succeeded')
  expect(garbageProgress(job)).toMatchObject({
    state: { phase: 'done', report: { links: 1, blobs: 1, bytes: bytes.length, failed: 0 } },
    lines: expect.arrayContaining([expect.stringMatching(/\[INFO\] Freed 17 bytes in 1 blobs\.$/)]),
  })
  expect(await site.blobs.stat(digest)).toBeUndefined()
})

it('a store that deletes nothing is tried again later, and the log of the collection names the blob', async () => {
  await using site = await withGarbage()
  let broken = true
  const blobs = new Proxy(site.blobs, {
    get: (target, key) => {
      if (key === 'delete' && broken) return () => Promise.reject(new RegistryError('UNAVAILABLE', 'The store is away.'))
      const value = Reflect.get(target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  await using _ = start(site, { blobs })
  const { id } = await enqueueJob(site.database, garbageJob({ untagged: false, dryRun: false, trigger: 'Manual' }))
  await until('the first attempt has failed', async () => (await findJob(site.database, id))?.error === 'UNAVAILABLE: The store is away.')
  const waiting = await findJob(site.database, id)
  expect(waiting?.state).toBe('queued')
  expect(waiting && garbageProgress(waiting).lines.join('\n')).toContain(`[ERROR] ${digest} could not be deleted`)
  broken = false
  expect((await ended(site.database, id)).state).toBe('succeeded')
})

it('a schedule begins collections by itself', async () => {
  await using site = await withGarbage()
  await putSchedule(site.database, {
    purpose: 'gc',
    type: 'Custom',
    cron: '* * * * * *',
    job: garbageJob({ untagged: false, dryRun: false, trigger: 'Schedule' }),
  })
  await using _ = start(site)
  await until('the garbage is gone', async () => (await site.blobs.stat(digest)) === undefined)
})
