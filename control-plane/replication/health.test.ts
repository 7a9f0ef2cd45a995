import { expect, it } from 'vitest'
import { createEndpoint, findEndpointById, updateEndpoint } from '../../schema/endpoints.ts'
import { memoryLog } from '../../test/support/bare-registry.ts'
import { TestClock } from '../../test/support/clock.ts'
import { temporaryDatabase } from '../../test/support/database.ts'
import { ScriptedServer } from '../../test/support/scripted-server.ts'
import { until } from '../../test/support/until.ts'
import { ENDPOINT_CHECK_MS } from '../limits.ts'
import { watchEndpoints } from './health.ts'

it('the status of an endpoint is what it is: found out at once, again when it has changed, and again after a while', async () => {
  const clock = new TestClock()
  await using held = await temporaryDatabase({ clock })
  const { db } = held
  let status = 200
  let looks = 0
  await using server = await ScriptedServer.start((_request, response) => {
    looks++
    response.writeHead(status).end()
  })
  const { id, updatedAt } = await createEndpoint(db, { name: 'there', type: 'docker-registry', url: server.url.href }, 'user:1')
  const gone = await createEndpoint(db, { name: 'gone', type: 'docker-registry', url: 'https://registry.invalid' }, 'user:1')
  expect(await findEndpointById(db, id), 'nobody has looked yet').toMatchObject({ status: 'unknown', checkedAt: null })

  const ending = new AbortController()
  const log = memoryLog()
  const options = { db, clock, log, signal: ending.signal, fetchFor: () => fetch, unseal: async () => '' }
  const watching = Promise.all([watchEndpoints(options), watchEndpoints(options)])
  const becomes = (endpoint: number, wanted: string) =>
    until(`endpoint ${endpoint} is ${wanted}`, async () => {
      clock.advance(1_000)
      return (await findEndpointById(db, endpoint))?.status === wanted
    })
  await becomes(id, 'healthy')
  await becomes(gone.id, 'unhealthy')
  expect(await findEndpointById(db, gone.id)).toMatchObject({ statusText: expect.stringMatching(/^DNS: /) })
  expect(await findEndpointById(db, id), 'no change of the endpoint').toMatchObject({ updatedAt })
  expect(looks, 'one process looks, however many there are').toBe(2)

  status = 404
  clock.advance(ENDPOINT_CHECK_MS)
  await becomes(id, 'unhealthy')
  status = 200
  await updateEndpoint(db, id, { accessKey: 'other' }, 'user:1')
  await becomes(id, 'healthy')
  expect(await findEndpointById(db, id)).toMatchObject({ statusText: '' })
  ending.abort()
  await watching
})
