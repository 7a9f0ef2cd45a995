import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { controlPlaneOf } from '../../cli/serve/control-plane.ts'
import { COLLECT_GARBAGE, garbageJob } from '../../schema/garbage-jobs.ts'
import { enqueueJob, leaseJob } from '../../schema/jobs.ts'
import { enqueueDue, schedulesPaused } from '../../schema/schedules.ts'
import { CONTRACT_PRESENT, Contract } from '../testing/contract.ts'
import { openTestOrigin, PASSWORD, type TestOrigin } from '../testing/origin.ts'

describe.skipIf(!CONTRACT_PRESENT)('jobs and schedules keep to the contract', () => {
  let origin: TestOrigin
  let ask: Contract['ask']

  beforeAll(async () => {
    origin = await openTestOrigin()
    ask = new Contract(origin).ask
  })
  afterAll(async () => {
    await origin.close()
  })

  test('what waits, what runs, and who does it', async () => {
    const { db } = origin.origin.services
    const job = garbageJob({ untagged: false, dryRun: true, trigger: 'Manual' })
    const { id } = await enqueueJob(db, job)
    const queue = async (type: string) =>
      ((await ask('GET /jobservice/queues', '/jobservice/queues', 200)).body as { job_type: string; count: number; paused: boolean }[]).find(
        ({ job_type }) => job_type === type,
      )
    expect(await queue('GARBAGE_COLLECTION')).toMatchObject({ count: 1, paused: false })
    await ask('GET /jobservice/jobs/{job_id}/log', `/jobservice/jobs/${id}/log`, 200)
    await ask('GET /jobservice/jobs/{job_id}/log', '/jobservice/jobs/none/log', 404)

    const Q = 'PUT /jobservice/queues/{job_type}'
    await ask(Q, '/jobservice/queues/GARBAGE_COLLECTION', 200, { action: 'pause' })
    expect(await queue('GARBAGE_COLLECTION')).toMatchObject({ count: 1, paused: true })
    const controlPlane = await controlPlaneOf(origin.origin)
    try {
      const pools = async () => (await ask('GET /jobservice/pools', '/jobservice/pools', 200)).body as { worker_pool_id: string; pid: number }[]
      await expect.poll(pools).toMatchObject([{ pid: process.pid, concurrency: 4 }])
      const [pool] = await pools()
      expect((await ask('GET /jobservice/pools/{pool_id}/workers', '/jobservice/pools/all/workers', 200)).body).toEqual([])
      await ask('GET /jobservice/pools/{pool_id}/workers', `/jobservice/pools/${encodeURIComponent(pool?.worker_pool_id ?? '')}/workers`, 200)
      await ask('GET /jobservice/pools/{pool_id}/workers', '/jobservice/pools/none/workers', 404)
      // Paused, it waits though somebody is there to do it.
      expect(await queue('GARBAGE_COLLECTION')).toMatchObject({ count: 1 })
    } finally {
      await controlPlane.close()
    }
    await ask(Q, '/jobservice/queues/GARBAGE_COLLECTION', 200, { action: 'resume' })
    const leased = await leaseJob(db, { kinds: [COLLECT_GARBAGE], owner: 'somebody', leaseMs: 60_000 })
    expect(leased?.id).toBe(id)
    expect((await ask('GET /jobservice/pools/{pool_id}/workers', '/jobservice/pools/all/workers', 200)).body).toMatchObject([
      { job_name: 'GARBAGE_COLLECTION', job_id: String(id), pool_id: 'somebody' },
    ])
    await ask('PUT /jobservice/jobs/{job_id}', `/jobservice/jobs/${id}`, 200)
    await ask('PUT /jobservice/jobs/{job_id}', '/jobservice/jobs/4711', 404)
    expect((await ask('GET /jobservice/pools/{pool_id}/workers', '/jobservice/pools/all/workers', 200)).body).toEqual([])
    await enqueueJob(db, job)
    await ask(Q, '/jobservice/queues/all', 200, { action: 'stop' })
    expect(await queue('GARBAGE_COLLECTION')).toMatchObject({ count: 0 })
    await ask(Q, '/jobservice/queues/DANCE', 404, { action: 'stop' })
    await ask(Q, '/jobservice/queues/all', 400, { action: 'dance' })
    await ask('GET /jobservice/queues', '/jobservice/queues', 401, undefined, '')
  })

  test('what comes by itself, and that it can be held', async () => {
    await ask('POST /system/gc/schedule', '/system/gc/schedule', 201, { schedule: { type: 'Daily', cron: '0 0 0 * * *' } })
    const listed = await ask('GET /schedules', '/schedules', 200)
    expect(listed.body).toMatchObject([{ vendor_type: 'GARBAGE_COLLECTION', vendor_id: -1, cron: '0 0 0 * * *' }])
    expect(listed.headers.get('X-Total-Count')).toBe('1')
    await ask('PUT /system/gc/schedule', '/system/gc/schedule', 200, { schedule: { type: 'Custom', cron: '0 30 1 * * *' } })
    const [before, after] = [listed, await ask('GET /schedules', '/schedules', 200)].map(({ body }) => (body as { id: number }[])[0]?.id)
    expect(after, 'another cron is no other schedule').toBe(before)
    const paused = async () => (await ask('GET /schedules/{job_type}/paused', '/schedules/all/paused', 200)).body
    expect(await paused()).toEqual({ paused: false })
    await ask('PUT /jobservice/queues/{job_type}', '/jobservice/queues/scheduler', 200, { action: 'pause' })
    expect(await paused()).toEqual({ paused: true })
    expect(await schedulesPaused(origin.origin.services.db)).toBe(true)
    await ask('PUT /jobservice/queues/{job_type}', '/jobservice/queues/SCHEDULER', 200, { action: 'resume' })
    expect(await paused()).toEqual({ paused: false })
    expect(await enqueueDue(origin.origin.services.db)).toBe(0)
    await ask('GET /schedules/{job_type}/paused', '/schedules/gc/paused', 400)
    await ask('GET /schedules/{job_type}/paused', '/schedules/all/paused', 401, undefined, '')
  })

  test('the API describes itself, and has a page to browse it', async () => {
    const get = async (path: string) => await origin.ask('GET', `/api/v2.0${path}`)
    const document = (await (await get('/openapi.json')).json()) as { openapi: string; paths: Record<string, object> }
    expect(document.openapi).toBe('3.1.0')
    expect(Object.keys(document.paths).length).toBeGreaterThan(90)
    expect(document.paths['/projects']).toHaveProperty('post')
    const page = await get('/docs/')
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
    for (const [, file] of (await page.text()).matchAll(/(?:src|href)="([^"]+)"/g)) {
      const answer = await get(`/docs/${file}`)
      expect({ file, status: answer.status, bytes: (await answer.arrayBuffer()).byteLength > 10 }).toEqual({ file, status: 200, bytes: true })
    }
    for (const path of ['/docs/package.json', '/docs/..%2fpackage.json', '/docs/__proto__']) {
      expect((await origin.ask('GET', `/api/v2.0${path}`, { credentials: `admin:${PASSWORD}` })).status).toBe(404)
    }
  })
})
