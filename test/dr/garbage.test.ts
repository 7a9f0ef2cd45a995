import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { Wire } from '../chaos/run/wire.ts'
import { atollCli, atollJson, bytesAt, targetAt } from '../replication/sites.ts'
import { type AtollProcess, startAtoll } from '../support/atoll.ts'
import { pushImage, randomImage, type TestImage } from '../support/images.ts'
import { until } from '../support/until.ts'
import { inStep, pair } from './pair.ts'
import { expectSame } from './same.ts'

const CLOCK = fileURLToPath(new URL('../support/moved-clock.ts', import.meta.url))
/** Longer than garbage is kept. */
const LATER_MS = 3 * 3_600_000
const ROUNDS = 4

interface Drilled {
  readonly artifacts: number
  readonly problems: readonly string[]
}

it('garbage that is collected while a standby follows, near or far behind, takes nothing that either site needs, and goes at both', async () => {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'atoll-clocks-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const start = (name: string) => startAtoll({ role: 'origin', env: { NODE_OPTIONS: `--import=${CLOCK}`, MOVED_CLOCK_FILE: join(folder, name) } })
  const east = stack.use(await start('east'))
  const west = stack.use(await start('west'))
  const line = stack.use(await Wire.to(east.origin))
  let now = 0
  const later = async () => {
    now += LATER_MS
    for (const [site, name] of [
      [east, 'east'],
      [west, 'west'],
    ] as const) {
      await writeFile(join(folder, name), String(now))
      process.kill(site.pid, 'SIGUSR2')
    }
  }
  await pair(east, west, { primary: `http://${line.near}` })
  await inStep(east, west)
  await atollCli(east, 'dr', 'set', '--lease', '300')
  expect((await west.cli('gc', 'run')).code, 'a standby collects nothing').not.toBe(0)

  // What is pushed shares a layer with what is deleted, and the first layer of all is pushed again after it has gone.
  const shared = randomImage({ layers: [200_000] })
  const again = randomImage({ layers: [300_000] })
  const kept: TestImage[] = []
  for (let round = 0; round < ROUNDS; round++) {
    // In every other round the standby hears of it all only afterwards, when bytes that its log names have gone.
    if (round % 2 === 1) line.cut()
    const gone = randomImage({ layers: [400_000, ...shared.layers.map(({ bytes }) => bytes)] })
    const stays = randomImage({ layers: [100_000, ...shared.layers.map(({ bytes }) => bytes)] })
    await pushImage(targetAt(east, 'library/app'), gone, 'gone')
    await pushImage(targetAt(east, 'library/app'), again, 'again')
    await pushImage(targetAt(east, 'library/app'), stays, `stays-${round}`)
    kept.push(stays)
    for (const { manifest } of [gone, again]) {
      expect((await east.api('DELETE', `/v2/library/app/manifests/${manifest.digest}`)).status).toBe(202)
    }
    await later()
    await Promise.all([collect(east), pushImage(targetAt(east, 'library/app'), randomImage(), `beside-${round}`)])
    for (const { layers } of [gone, again]) {
      expect((await east.api('HEAD', `/v2/library/app/blobs/${layers[0]?.digest}`)).status, 'it was collected').toBe(404)
    }
    line.heal()
    await inStep(east, west)
  }
  await pushImage(targetAt(east, 'library/app'), again, 'again')
  await inStep(east, west)
  await expectSame(east, west)
  const drilled = await atollJson<Drilled>(west, 'dr', 'drill', '--sample', '50')
  expect(drilled).toMatchObject({ artifacts: 2 * ROUNDS + 1, problems: [] })

  // The standby takes over and collects by itself: it knows what everything is needed for.
  await atollCli(west, 'dr', 'promote')
  expect((await west.api('DELETE', `/v2/library/app/manifests/${again.manifest.digest}`)).status).toBe(202)
  await later()
  await collect(west)
  await atollCli(east, 'dr', 'rejoin')
  await inStep(west, east)
  await expectSame(west, east)
  expect((await east.api('HEAD', `/v2/library/app/blobs/${again.layers[0]?.digest}`)).status).toBe(404)
  for (const site of [west, east]) {
    for (const { manifest, blobs } of kept) {
      expect(await bytesAt(site, `library/app/manifests/${manifest.digest}`)).toEqual(Buffer.from(manifest.bytes))
      for (const { digest, bytes } of blobs) expect(await bytesAt(site, `library/app/blobs/${digest}`)).toEqual(Buffer.from(bytes))
    }
  }
  expect(await atollJson<Drilled>(east, 'dr', 'drill', '--sample', '50')).toMatchObject({ artifacts: 2 * ROUNDS, problems: [] })
}, 400_000)

async function collect(site: AtollProcess): Promise<void> {
  await until('garbage is collected', async () => (await site.cli('gc', 'run', '--wait')).code === 0, 60_000)
}
