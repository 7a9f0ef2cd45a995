import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { until } from '../support/until.ts'
import { sha256, TestOrigin } from './support.ts'
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
