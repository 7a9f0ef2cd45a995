import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { targetAt } from '../replication/sites.ts'
import { pushImage, randomImage, randomIndex, type TestImage } from '../support/images.ts'
import { Tenant } from '../support/tenant.ts'
import { until } from '../support/until.ts'
import { type Kill, killInTurn, type MortalSite, mortalSite } from './mortal.ts'
import { inStep, pair, status } from './pair.ts'
import { expectSame } from './same.ts'

const CLOCK = fileURLToPath(new URL('../support/moved-clock.ts', import.meta.url))
/** Longer than garbage is kept. */
const LATER_MS = 3 * 3_600_000

it('a standby that is being filled goes on wherever it or its primary is killed, and has everything in the end', async () => {
  await using east = await mortalSite()
  await using west = await mortalSite()
  const tenant = new Tenant(east.atoll)
  await tenant.project('team', { public: false })
  await tenant.robot('ci', 'team')
  await tenant.user('alice', 'Alice12345')
  const credential = { type: 'basic', access_key: 'me', access_secret: 'far-secret' }
  await tenant.endpoint({ name: 'far', type: 'docker-registry', url: 'http://127.0.0.1:1', credential })
  for (const tag of ['one', 'two']) await pushImage(targetAt(east.atoll, 'team/app'), randomImage({ layers: [700_000, 90_000] }), tag)
  await pushImage(targetAt(east.atoll, 'team/app'), randomIndex(['amd64', 'arm64']), 'many')

  const kills: readonly Kill[] = [
    [west, 'mirror: log begun there'],
    [east, 'source: log begun'],
    [west, 'mirror: begun'],
    [east, 'source: page read', 3],
    [west, 'mirror: page received'],
    [west, 'mirror: page stored', 2],
    [west, 'blob: part written', 2],
    [east, 'source: bytes opened'],
    [west, 'blob: draft durable'],
    [west, 'blob: verified'],
    [west, 'blob: stored'],
    [west, 'mirror: bytes of a page stored'],
    [west, 'mirror: sequences stored'],
    [east, 'source: guarded'],
    [west, 'mirror: whole'],
  ]
  await killInTurn(kills, () => pair(east.atoll, west.atoll))
  await inStep(east.atoll, west.atoll)
  await expectSame(east.atoll, west.atoll)
  process.stdout.write(`filled through ${kills.length} kills\n`)
}, 400_000)

it('a standby that follows goes on wherever it or its primary is killed, has everything, and nothing twice', async () => {
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'atoll-clocks-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const clock = join(folder, 'east')
  const east = stack.use(await mortalSite({ NODE_OPTIONS: `--import=${CLOCK}`, MOVED_CLOCK_FILE: clock }))
  const west = stack.use(await mortalSite())
  await pair(east.atoll, west.atoll)
  await inStep(east.atoll, west.atoll)

  const pushed: TestImage[] = []
  const push = async () => {
    await writable(east)
    const image = randomImage({ layers: [700_000, 90_000] })
    await pushImage(targetAt(east.atoll, 'library/app'), image, `n${pushed.length}`)
    pushed.push(image)
  }
  const kills: readonly Kill[] = [
    [west, 'mirror: batch received'],
    [west, 'blob: part written', 2],
    [west, 'blob: draft durable'],
    [west, 'blob: verified'],
    [west, 'blob: stored'],
    [west, 'mirror: bytes of a batch stored'],
    [west, 'mirror: batch stored'],
    [east, 'source: batch read'],
    [east, 'source: bytes opened'],
    [east, 'source: standby heard'],
    [east, 'source: acknowledged'],
  ]
  for (const kill of kills) {
    await killInTurn([kill], push)
    await inStep(east.atoll, west.atoll)
  }
  await push()
  await inStep(east.atoll, west.atoll)
  await expectSame(east.atoll, west.atoll)

  // What goes, goes at both, and its bytes with it.
  for (const { manifest } of pushed.slice(0, 3)) {
    expect((await east.atoll.api('DELETE', `/v2/library/app/manifests/${manifest.digest}`)).status).toBe(202)
  }
  await writeFile(clock, String(LATER_MS))
  process.kill(east.atoll.pid, 'SIGUSR2')
  const collect = async () => {
    await writable(east)
    expect((await east.atoll.api('POST', '/api/v2.0/system/gc/schedule', { schedule: { type: 'Manual' } })).status).toBe(201)
  }
  await killInTurn(
    [
      [west, 'mirror: rows of bytes gone'],
      [west, 'mirror: bytes deleted', 2],
    ],
    collect,
  )
  await until(
    'the bytes are gone',
    async () => (await east.atoll.api('HEAD', `/v2/library/app/blobs/${pushed[0]?.layers[0]?.digest}`)).status === 404,
  )
  await inStep(east.atoll, west.atoll)
  await expectSame(east.atoll, west.atoll)
  process.stdout.write(`followed through ${kills.length + 2} kills\n`)
}, 600_000)

/** After its start a primary waits for its standby's word. */
async function writable({ atoll }: MortalSite): Promise<void> {
  await until('the primary takes changes', async () => (await status(atoll)).takes_writes)
}
