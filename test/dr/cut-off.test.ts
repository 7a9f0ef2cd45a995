import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { OCI_MANIFEST } from '../../registry/spec/media-types.ts'
import { Wire } from '../chaos/run/wire.ts'
import { atollCli, atollJson, basic, pull, targetAt } from '../replication/sites.ts'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { pushImage, randomImage, type TestImage } from '../support/images.ts'
import { until } from '../support/until.ts'
import { inStep, pair, status } from './pair.ts'

const HOUR = 3_600_000
const CLOCK = fileURLToPath(new URL('../support/moved-clock.ts', import.meta.url))

/** A write, and what was said of it. Times are the test's own. */
interface Write {
  readonly tag: string
  readonly digest: string
  readonly begun: number
  readonly ended: number
  readonly status: number
  readonly retryAfter: string | null
  readonly text: string
}

const acknowledged = ({ status }: Write) => status === 201

/** Pushes manifest after manifest over blobs that are there, each under its own tag and every third also as `latest`. */
class Writer {
  readonly writes: Write[] = []
  readonly #site: AtollProcess
  readonly #name: string
  readonly #image: TestImage

  constructor(site: AtollProcess, name: string, image: TestImage) {
    this.#site = site
    this.#name = name
    this.#image = image
  }

  async write(n: number): Promise<void> {
    const document = { ...(JSON.parse(Buffer.from(this.#image.manifest.bytes).toString()) as object), annotations: { by: this.#name, n: String(n) } }
    const tag = n % 3 === 0 ? 'latest' : `${this.#name}-${n}`
    const begun = performance.now()
    const answer = await fetch(`http://${this.#site.origin}/v2/team/app/manifests/${tag}`, {
      method: 'PUT',
      headers: { ...basic('admin', ADMIN_PASSWORD), 'content-type': OCI_MANIFEST },
      body: JSON.stringify(document),
    })
    const text = await answer.text()
    const digest = answer.headers.get('docker-content-digest') ?? ''
    this.writes.push({ tag, digest, begun, ended: performance.now(), status: answer.status, retryAfter: answer.headers.get('retry-after'), text })
  }

  get acknowledged(): Write[] {
    return this.writes.filter(acknowledged)
  }
}

it.each([
  { fault: 'cut' as const, skew: 0 },
  { fault: 'hang' as const, skew: 0 },
  // The clocks are two hours apart, and each is set again by two hours while the line is away.
  { fault: 'cut' as const, skew: HOUR },
])(
  'a primary that the network cuts off ($fault, clocks wrong by $skew ms) acknowledges nothing once the standby has taken over, and nothing it acknowledged is lost',
  async ({ fault, skew }) => {
    await using stack = new AsyncDisposableStack()
    const folder = await mkdtemp(join(tmpdir(), 'atoll-clocks-'))
    stack.defer(() => rm(folder, { recursive: true, force: true }))
    const moved = async (name: string, ms: number) => {
      await writeFile(join(folder, name), String(ms))
      return { NODE_OPTIONS: `--import=${CLOCK}`, MOVED_CLOCK_FILE: join(folder, name) }
    }
    const east = stack.use(await startAtoll({ role: 'origin', env: await moved('east', skew) }))
    const west = stack.use(await startAtoll({ role: 'origin', env: await moved('west', -skew) }))
    const toEast = stack.use(await Wire.to(east.origin))
    const toWest = stack.use(await Wire.to(west.origin))
    await atollCli(east, 'project', 'create', 'team')
    const image = randomImage()
    await pushImage(targetAt(east, 'team/app'), image, 'first')
    await pair(east, west, { primary: `http://${toEast.near}`, standby: `http://${toWest.near}` })
    await atollCli(east, 'dr', 'set', '--lease', '3')
    await inStep(east, west)

    const writers = [new Writer(east, 'east', image), new Writer(west, 'west', image)] as const
    const [atEast, atWest] = writers
    let writing = true
    const working = (async () => {
      for (let n = 1; writing; n++) await Promise.all(writers.map((writer) => writer.write(n)))
    })()
    await until('east has taken writes', () => atEast.acknowledged.length > 5)
    for (const wire of [toEast, toWest]) wire[fault]()
    if (skew !== 0) {
      for (const [site, name, ms] of [[east, 'east', -skew] as const, [west, 'west', skew] as const]) {
        await moved(name, ms)
        process.kill(site.pid, 'SIGUSR2')
      }
    }
    const promoted = await atollJson<{ handed_over: boolean }>(west, 'dr', 'promote')
    const after = performance.now()
    expect(promoted.handed_over).toBe(false)
    await until('both were written to after the promotion', () =>
      writers.every(({ writes }) => writes.filter(({ begun }) => begun > after).length > 5),
    )

    writing = false
    await working

    // Nor after a restart: what it was allowed before means nothing.
    await east.kill()
    await east.restart()
    for (let n = 1_000; n < 1_003; n++) await atEast.write(n)

    // One after the other, and never both.
    const last = Math.max(...atEast.acknowledged.map(({ begun }) => begun))
    const first = Math.min(...atWest.acknowledged.map(({ ended }) => ended))
    expect(last).toBeLessThan(first)
    for (const refused of atEast.writes.filter(({ begun }) => begun > after)) {
      expect(refused).toMatchObject({ status: 503, retryAfter: '2', text: expect.stringContaining('only while it hears its standby west') })
    }

    for (const wire of [toEast, toWest]) wire.heal()
    await until('east knows that west has taken over', async () => (await status(east)).role === 'fenced')
    await atEast.write(2_000)
    expect(atEast.writes.at(-1)).toMatchObject({ status: 503, text: expect.stringContaining('west has taken over') })

    await atollCli(east, 'dr', 'rejoin')
    await inStep(west, east)
    const there = new Set<string>()
    for (const { digest, tag } of atEast.acknowledged) {
      const [own, kept] = await Promise.all([
        pull(west, `team/app/manifests/${digest}`),
        pull(west, `quarantine-east-2/team/app/manifests/${digest}`),
      ])
      expect([own.status, kept.status], `${tag}@${digest} was acknowledged`).toContain(200)
      there.add(own.status === 200 ? 'mirrored' : 'quarantined')
    }
    process.stdout.write(`${fault}, ${skew} ms: east acknowledged ${atEast.acknowledged.length}, west ${atWest.acknowledged.length}; ${[...there]}\n`)
    expect(there, 'the line was cut in the middle of the writing').toContain('mirrored')
    expect(there).toContain('quarantined')
    for (const site of [west, east]) {
      for (const { digest } of atWest.acknowledged) expect((await pull(site, `team/app/manifests/${digest}`)).status).toBe(200)
      const latest = await pull(site, 'team/app/manifests/latest')
      expect(latest.headers.get('docker-content-digest')).toBe(atWest.acknowledged.findLast(({ tag }) => tag === 'latest')?.digest)
    }
  },
  240_000,
)
