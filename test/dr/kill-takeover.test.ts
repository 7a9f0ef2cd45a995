import { expect, it } from 'vitest'
import { atollJson, bytesAt, pull, targetAt } from '../replication/sites.ts'
import { pushImage, randomImage } from '../support/images.ts'
import { Tenant } from '../support/tenant.ts'
import { until } from '../support/until.ts'
import { killInTurn, type MortalSite, mortalSite } from './mortal.ts'
import { inStep, pair, status } from './pair.ts'
import { expectSame } from './same.ts'

interface Promoted {
  readonly epoch: number
  readonly handed_over: boolean
}

const promote = ({ atoll }: MortalSite) => atollJson<Promoted>(atoll, 'dr', 'promote')
const rejoin = ({ atoll }: MortalSite) => atollJson(atoll, 'dr', 'rejoin')

it('a takeover, a return and a change back come to their end wherever a site is killed, and lose nothing', async () => {
  await using east = await mortalSite()
  await using west = await mortalSite()
  const tenant = new Tenant(east.atoll)
  await pushImage(targetAt(east.atoll, 'library/app'), randomImage(), 'both')
  await pair(east.atoll, west.atoll)
  await inStep(east.atoll, west.atoll)

  // What only the old primary has.
  process.kill(west.atoll.pid, 'SIGSTOP')
  const lone = [randomImage({ layers: [300_000] }), randomImage(), randomImage()]
  for (const [n, image] of lone.entries()) await pushImage(targetAt(east.atoll, `library/lone${n}`), image, 'only')
  await tenant.user('bob', 'Bob1234567')
  await east.atoll.kill()
  process.kill(west.atoll.pid, 'SIGCONT')

  // A takeover that was not written never was; one that was written holds, whoever has heard of it.
  await killInTurn([[west, 'promote: nobody writes']], () => promote(west))
  expect(await status(west.atoll)).toMatchObject({ role: 'standby', epoch: 1 })
  await killInTurn([[west, 'promote: promoted']], () => promote(west))
  expect(await status(west.atoll)).toMatchObject({ role: 'primary', epoch: 2, takes_writes: true })
  await pushImage(targetAt(west.atoll, 'library/app'), randomImage(), 'west')
  await killInTurn([[west, 'promote: fenced there']], () => east.atoll.restart())
  await until('the old primary knows', async () => (await status(east.atoll)).role === 'fenced')

  // The return, told again after each death.
  await killInTurn([[west, 'quarantine: project made']], async () => {
    expect((await east.atoll.cli('dr', 'rejoin')).stderr).toContain('Nothing is lost; run it again.')
  })
  for (const step of ['quarantine: artifact stored', 'quarantine: rows stored', 'rejoin: quarantined'] as const) {
    await killInTurn([[east, step, step === 'quarantine: artifact stored' ? 2 : 1]], () => rejoin(east))
    expect(await status(east.atoll)).toMatchObject({ role: 'fenced', takes_writes: false })
  }
  await killInTurn([[east, 'rejoin: standby']], () => rejoin(east))
  await inStep(west.atoll, east.atoll)
  for (const [n, image] of lone.entries()) {
    const kept = `quarantine-east-2/library/lone${n}`
    expect(await bytesAt(west.atoll, `${kept}/manifests/only`)).toEqual(Buffer.from(image.manifest.bytes))
    for (const { digest, bytes } of image.blobs) expect(await bytesAt(west.atoll, `${kept}/blobs/${digest}`)).toEqual(Buffer.from(bytes))
  }
  expect((await pull(west.atoll, 'quarantine-east-2/changes/manifests/epoch-1')).status).toBe(200)
  const listed = await west.atoll.api('GET', '/api/v2.0/projects/quarantine-east-2/repositories')
  expect(await listed.json()).toHaveLength(lone.length + 1)
  await expectSame(west.atoll, east.atoll)

  // The change back, in peace: the primary dies as it steps down, then the standby before it has taken over.
  await pushImage(targetAt(west.atoll, 'library/app'), randomImage(), 'last')
  await inStep(west.atoll, east.atoll)
  await killInTurn([[east, 'promote: stepped down there']], () => promote(east))
  expect(await status(west.atoll)).toMatchObject({ role: 'fenced' })
  expect(await promote(east)).toMatchObject({ epoch: 3, handed_over: true })
  expect((await pull(east.atoll, 'library/app/manifests/last')).status).toBe(200)
  await rejoin(west)
  await inStep(east.atoll, west.atoll)
  await expectSame(east.atoll, west.atoll)
}, 600_000)

it('a primary that dies as it steps down is waited for, and its standby goes on alone', async () => {
  await using east = await mortalSite()
  await using west = await mortalSite()
  await pair(east.atoll, west.atoll)
  const image = randomImage()
  await pushImage(targetAt(east.atoll, 'library/app'), image, 'one')
  await inStep(east.atoll, west.atoll)

  await east.points.arm('step down: stepped down')
  expect(await promote(west)).toMatchObject({ epoch: 2, handed_over: false })
  await east.points.met()
  await east.atoll.kill()
  expect(await bytesAt(west.atoll, 'library/app/manifests/one')).toEqual(Buffer.from(image.manifest.bytes))
  await east.atoll.restart()
  expect(await status(east.atoll)).toMatchObject({ role: 'fenced', takes_writes: false })
  await rejoin(east)
  await inStep(west.atoll, east.atoll)
  await expectSame(west.atoll, east.atoll)
}, 240_000)
