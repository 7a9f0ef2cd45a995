import { expect, it } from 'vitest'
import { atollCli, targetAt } from '../replication/sites.ts'
import { ADMIN_PASSWORD } from '../support/atoll.ts'
import { pushImage, randomImage } from '../support/images.ts'
import { getAt, Tenant, tokenAt } from '../support/tenant.ts'
import { until } from '../support/until.ts'
import { startAtollWorker } from '../support/worker.ts'
import { inStep, pair, twoSites } from './pair.ts'

it('a Worker follows the site that took over by itself, and hears its refusals', async () => {
  await using sites = await twoSites()
  const { primary: east, standby: west } = sites
  const tenant = new Tenant(east)
  await tenant.project('team', { public: false })
  const robot = await tenant.robot('ci', 'team')
  const first = randomImage()
  await pushImage(targetAt(east, 'team/app'), first, 'latest')
  await using worker = await startAtollWorker({ origin: `http://${east.origin}`, admin: { username: 'admin', password: ADMIN_PASSWORD } })
  const before = await tokenAt(worker.host, 'repository:team/app:pull', robot)
  const latest = async (token: string) => (await getAt(worker.host, '/v2/team/app/manifests/latest', token)).headers.get('docker-content-digest')
  expect(await latest(before)).toBe(first.manifest.digest)
  await pair(east, west)
  await inStep(east, west)

  await east.kill()
  await atollCli(west, 'dr', 'promote')
  const second = randomImage()
  await pushImage(targetAt(west, 'team/app'), second, 'latest')
  await until('the Worker serves what was pushed to the new primary', async () => (await latest(before)) === second.manifest.digest, 90_000)
  const answered = await getAt(worker.host, `/v2/team/app/blobs/${second.layers[0]?.digest}`, before)
  expect(Buffer.from(await answered.arrayBuffer())).toEqual(Buffer.from(second.layers[0]?.bytes ?? []))
  await new Tenant(west).call('DELETE', `/api/v2.0/robots/${robot.id}`)
  await until(
    'what the new primary refuses is refused',
    async () => (await getAt(worker.host, '/v2/team/app/manifests/latest', before)).status === 401,
    30_000,
  )
}, 240_000)
