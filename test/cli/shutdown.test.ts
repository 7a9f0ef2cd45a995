import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { ADMIN_PASSWORD, startAtoll } from '../support/atoll.ts'
import { pushImage, randomImage } from '../support/images.ts'
import { until } from '../support/until.ts'

test('who is told to stop says so to load balancers first, goes on answering, and ends what has begun', async () => {
  await using atoll = await startAtoll({ env: { ATOLL_SHUTDOWN_DELAY: '5s' } })
  const authorization = `Basic ${Buffer.from(`admin:${ADMIN_PASSWORD}`).toString('base64')}`
  const image = randomImage({ layers: [20_000_000] })
  await pushImage({ url: new URL(`http://${atoll.origin}`), repository: 'library/app', headers: { authorization } }, image, '1')
  const hosts = [atoll.origin, atoll.edge]
  const status = async (host: string, path: string) => {
    const answer = await fetch(`http://${host}${path}`, { headers: { authorization } })
    await answer.arrayBuffer()
    return answer.status
  }
  const [layer] = image.layers
  const begun = await Promise.all(hosts.map((host) => fetch(`http://${host}/v2/library/app/blobs/${layer?.digest}`, { headers: { authorization } })))
  expect(begun.map((answer) => answer.status)).toEqual([200, 200])

  const stopped = atoll.stop()
  for (const host of hosts) await until(`${host} says that it leaves`, async () => (await status(host, '/readyz')) === 503)
  expect(await (await fetch(`http://${atoll.edge}/healthz`)).json()).toMatchObject({ draining: true })
  expect(await Promise.all(hosts.map((host) => status(host, '/v2/library/app/manifests/1')))).toEqual([200, 200])
  for (const answer of begun) {
    const bytes = new Uint8Array(await answer.arrayBuffer())
    expect(`sha256:${createHash('sha256').update(bytes).digest('hex')}`).toBe(layer?.digest)
  }
  expect(await stopped).toBe(0)
}, 60_000)
