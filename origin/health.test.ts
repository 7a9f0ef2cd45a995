import { afterAll, beforeAll, expect, test } from 'vitest'
import { controlPlaneOf } from '../cli/serve/control-plane.ts'
import { until } from '../test/support/until.ts'
import { openTestOrigin, type TestOrigin } from './testing/origin.ts'

let origin: TestOrigin
beforeAll(async () => {
  origin = await openTestOrigin()
})
afterAll(async () => {
  await origin.close()
})

const jobservice = async () => {
  const body = (await (await origin.ask('GET', '/api/v2.0/health')).json()) as {
    status: string
    components: { name: string; status: string; error?: string }[]
  }
  return { all: body.status, ...body.components.find(({ name }) => name === 'jobservice') }
}

test('a site without a control plane says so, and goes on taking images; with one it is well', async () => {
  expect(await jobservice()).toMatchObject({ all: 'healthy', status: 'healthy' })
  origin.clock.ahead += 60_000
  expect(await jobservice()).toMatchObject({ all: 'unhealthy', status: 'unhealthy', error: expect.stringContaining('control-plane') })
  expect((await origin.ask('GET', '/readyz')).status).toBe(200)
})

test('a database that is gone is said to be gone, and nothing is ready', async () => {
  const other = await openTestOrigin()
  await other.origin.services.db.close()
  const body = (await (await other.ask('GET', '/api/v2.0/health')).json()) as { components: { name: string; status: string }[] }
  const sick = body.components.filter(({ status }) => status === 'unhealthy').map(({ name }) => name)
  expect(sick).toEqual(expect.arrayContaining(['database', 'redis']))
  expect((await other.ask('GET', '/readyz')).status).toBe(503)
})

test('a control plane that works is heard of', async () => {
  const controlPlane = await controlPlaneOf(origin.origin)
  try {
    await until('it was heard of', async () => (await jobservice()).all === 'healthy')
  } finally {
    await controlPlane.close()
  }
})
