import { expect, it } from 'vitest'
import { atollCli, targetAt } from '../replication/sites.ts'
import { startAtoll } from '../support/atoll.ts'
import { pushImage, randomImage } from '../support/images.ts'
import { getAt, Tenant, tokenAt } from '../support/tenant.ts'
import { until } from '../support/until.ts'
import { inStep, pair, twoSites } from './pair.ts'

it('an edge follows the site that took over by itself, with the tokens it knows, and never goes back to the one of old', async () => {
  await using sites = await twoSites()
  const { primary: east, standby: west } = sites
  const tenant = new Tenant(east)
  await tenant.project('team', { public: false })
  const robot = await tenant.robot('ci', 'team')
  await using edge = await startAtoll({
    role: 'edge',
    env: { ATOLL_EDGE_ORIGIN_URL: `http://${east.origin}`, ATOLL_EDGE_ENROLMENT_TOKEN: await tenant.enrolmentToken('fra-1') },
  })
  const first = randomImage()
  await pushImage(targetAt(east, 'team/app'), first, 'latest')
  const followed = async () => ((await (await fetch(`http://${edge.edge}/healthz`)).json()) as { connected: boolean }).connected
  const before = await tokenAt(edge.edge, 'repository:team/app:pull', robot)
  expect((await getAt(edge.edge, '/v2/team/app/manifests/latest', before)).headers.get('docker-content-digest')).toBe(first.manifest.digest)
  await pair(east, west)
  await inStep(east, west)

  await east.kill()
  await atollCli(west, 'dr', 'promote')
  const second = randomImage()
  await pushImage(targetAt(west, 'team/app'), second, 'latest')
  const digestAtEdge = async (token: string) => (await getAt(edge.edge, '/v2/team/app/manifests/latest', token)).headers.get('docker-content-digest')
  // The token is from before: both sites sign with the same keys, and say the same name.
  await until('the edge serves what was pushed to the new primary', async () => (await digestAtEdge(before)) === second.manifest.digest, 60_000)
  const answered = await getAt(
    edge.edge,
    `/v2/team/app/blobs/${second.layers[0]?.digest}`,
    await tokenAt(edge.edge, 'repository:team/app:pull', robot),
  )
  expect(answered.status).toBe(200)
  expect(Buffer.from(await answered.arrayBuffer())).toEqual(Buffer.from(second.layers[0]?.bytes ?? []))
  await until('the edge hears the new primary', followed)
  // A push through the edge arrives at the new primary.
  const third = randomImage()
  const pushing = await tokenAt(edge.edge, 'repository:team/app:pull,push', robot)
  await pushImage({ url: new URL(`http://${edge.edge}`), repository: 'team/app', headers: { authorization: `Bearer ${pushing}` } }, third, 'through')
  expect((await west.api('HEAD', '/v2/team/app/manifests/through')).status).toBe(200)

  // The primary of old is back, and the edge, started anew with its address, still follows the new one.
  await east.restart()
  await edge.stop()
  await edge.restart()
  const fourth = randomImage()
  await pushImage(targetAt(west, 'team/app'), fourth, 'latest')
  await until('the edge follows the new primary after a restart', async () => (await digestAtEdge(before)) === fourth.manifest.digest, 60_000)
  await until('the edge hears the new primary after a restart', followed)
}, 180_000)
