import { expect, it } from 'vitest'
import { atollCli, atollJson, bytesAt, pull, targetAt } from '../replication/sites.ts'
import { pushImage, randomImage } from '../support/images.ts'
import { Tenant } from '../support/tenant.ts'
import { inStep, pair, status, twoSites } from './pair.ts'

it('an old primary comes back as standby, what only it had is in quarantine, and it can take over again without losing anything', async () => {
  await using sites = await twoSites()
  const { primary: east, standby: west } = sites
  const tenant = new Tenant(east)
  await tenant.project('team', { public: false })
  await pushImage(targetAt(east, 'team/app'), randomImage(), 'latest')
  await pair(east, west)
  await inStep(east, west)

  // The standby hears nothing while the primary, whose lease has not ended, goes on.
  process.kill(west.pid, 'SIGSTOP')
  const lone = randomImage({ layers: [300_000, 20_000] })
  await pushImage(targetAt(east, 'team/app'), lone, 'lone', 'latest')
  await tenant.user('bob', 'Bob1234567')
  await east.kill()
  process.kill(west.pid, 'SIGCONT')
  await atollCli(west, 'dr', 'promote')
  const next = randomImage()
  await pushImage(targetAt(west, 'team/app'), next, 'latest')
  expect((await pull(west, 'team/app/manifests/lone')).status).toBe(404)

  await east.restart()
  const said = await atollJson<{ rejoining: { quarantined_artifacts: number } }>(east, 'dr', 'rejoin')
  expect(said.rejoining.quarantined_artifacts).toBe(1)
  const kept = 'quarantine-east-2/team/app'
  expect(await bytesAt(west, `${kept}/manifests/lone`)).toEqual(Buffer.from(lone.manifest.bytes))
  for (const { digest, bytes } of lone.blobs) expect(await bytesAt(west, `${kept}/blobs/${digest}`)).toEqual(Buffer.from(bytes))
  const rows = JSON.parse((await bytesAt(west, 'quarantine-east-2/changes/manifests/epoch-1')).toString()) as { layers: { digest: string }[] }
  const lines = (await bytesAt(west, `quarantine-east-2/changes/blobs/${rows.layers[0]?.digest}`)).toString()
  expect(lines).toContain('"username":"bob"')
  expect(lines).not.toMatch(/scrypt|hmac-sha256|password_hash/)

  await inStep(west, east)
  expect(await status(east)).toMatchObject({ role: 'standby', epoch: 2, takes_writes: false })
  expect(await bytesAt(east, 'team/app/manifests/latest')).toEqual(Buffer.from(next.manifest.bytes))
  expect(await bytesAt(east, `${kept}/manifests/lone`)).toEqual(Buffer.from(lone.manifest.bytes))
  expect((await pull(east, 'team/app/manifests/lone')).status).toBe(404)

  // Back again, in peace: the primary steps down, and nothing waits for a lease.
  await pushImage(targetAt(west, 'team/app'), randomImage(), 'last')
  expect(await atollJson(east, 'dr', 'promote')).toMatchObject({ epoch: 3, handed_over: true, waited_seconds: 0, lost_seconds: 0 })
  expect((await pull(east, 'team/app/manifests/last')).status).toBe(200)
  await pushImage(targetAt(east, 'team/app'), randomImage(), 'home')
  const refused = await west.api('POST', '/api/v2.0/projects', { project_name: 'no' })
  expect(refused.status).toBe(503)
  expect(await refused.text()).toContain('has taken over from this site')
}, 180_000)
