import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { until } from '../support/until.ts'
import { sha256, TestEdge, TestOrigin } from './support.ts'
import { bundleWorker, TestWorker } from './worker-support.ts'

it('a Worker fills the bucket of one region from that of another, for the repositories that have the blob there', async () => {
  await using origin = await TestOrigin.start()
  await origin.project('open', { public: true })
  await using edge = await TestWorker.start(origin, await bundleWorker(), { regions: 'EU=BUCKET_EU' })
  const layer = randomBytes(2_000_000)
  const image = await origin.push('open/app', 'v1', layer)
  await origin.push('open/other', 'v1', layer)
  const path = (repository: string) => `/v2/${repository}/blobs/${image.layer}`
  const asked = (repository: string) => edge.line.asked.filter((each) => each === `GET ${path(repository)}`).length
  const pull = async (continent: 'EU' | 'NA', repository: string) => {
    const { status, bytes } = await edge.getFrom(continent, path(repository))
    expect([status, sha256(bytes)]).toEqual([200, image.layer])
  }
  await pull('NA', 'open/app')
  await until('it is stored', async () => (await edge.stored('blobs/')).includes(`blobs/sha256/${image.layer.slice(7)}`))
  await pull('EU', 'open/app')
  expect(asked('open/app')).toBe(1)
  expect((await edge.getFrom('EU', `/v2/open/none/blobs/${image.layer}`)).status).toBe(404)
  // A digest is no right to its bytes: whether the other repository has it, the origin says.
  await pull('EU', 'open/other')
  expect(edge.line.asked.some((each) => each.endsWith(path('open/other')))).toBe(true)
})

it('a Worker sends clients on to the edge near where Cloudflare says they are', async () => {
  await using origin = await TestOrigin.start()
  await origin.project('open', { public: true })
  const image = await origin.push('open/app', 'v1')
  await using near = await TestEdge.start(origin, { name: 'fra-1' })
  await using edge = await TestWorker.start(origin, await bundleWorker(), { bindings: { NEAREST: 'EU=fra-1' } })
  const path = `/v2/open/app/blobs/${image.layer}`
  const follows = { 'user-agent': 'containerd/2.1.0' }
  const sent = await edge.getFrom('EU', path, follows)
  expect([sent.status, sent.location?.startsWith(near.url + path)]).toEqual([307, true])
  const blob = await fetch(sent.location ?? '')
  expect([blob.status, sha256(new Uint8Array(await blob.arrayBuffer()))]).toEqual([200, image.layer])
  for (const [continent, headers] of [
    ['NA', follows],
    ['EU', {}],
  ] as const) {
    const served = await edge.getFrom(continent, path, headers)
    expect([served.status, sha256(served.bytes)]).toEqual([200, image.layer])
  }
})
