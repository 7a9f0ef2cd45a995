import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { pushImage, randomImage, type TestImage } from '../support/images.ts'
import { type CountingProxy, countingProxy } from './counting-proxy.ts'
import { atollCli, atollJson, bytesAt, type Execution, pull, targetAt, taskLogs } from './sites.ts'

const MIB = 1024 * 1024

let a: AtollProcess
let b: AtollProcess
let toA: CountingProxy
let toB: CountingProxy

beforeAll(async () => {
  ;[a, b] = await Promise.all([startAtoll({ role: 'origin' }), startAtoll({ role: 'origin' })])
  ;[toA, toB] = await Promise.all([countingProxy(a.origin), countingProxy(b.origin)])
  const credential = { type: 'basic', access_key: 'admin', access_secret: ADMIN_PASSWORD }
  for (const [site, name, proxy] of [
    [a, 'b', toB],
    [b, 'a', toA],
  ] as const) {
    expect((await site.api('POST', '/api/v2.0/registries', { name, type: 'atoll', url: proxy.url, credential })).status).toBe(201)
  }
}, 120_000)

afterAll(async () => {
  for (const one of [toA, toB, a, b]) await one?.[Symbol.asyncDispose]()
})

/** A layer of 32 files, and the same rebuilt: two files are others, of other lengths. */
function twoBuilds(): [before: Uint8Array, after: Uint8Array] {
  const files = Array.from({ length: 32 }, () => randomBytes(MIB / 4))
  return [Buffer.concat(files), Buffer.concat(files.with(7, randomBytes(MIB / 4 + 100)).with(20, randomBytes(MIB / 4 - 5_000)))]
}

async function prepared(project: string): Promise<{ first: TestImage; second: TestImage; changed: number }> {
  for (const site of [a, b]) await atollCli(site, 'project', 'create', project)
  const [before, after] = twoBuilds()
  return { first: randomImage({ layers: [before] }), second: randomImage({ layers: [after] }), changed: MIB / 2 }
}

async function expectThere(site: AtollProcess, repository: string, { layers, manifest }: TestImage): Promise<void> {
  for (const { digest, bytes } of layers) expect((await bytesAt(site, `${repository}/blobs/${digest}`)).equals(bytes)).toBe(true)
  expect((await pull(site, `${repository}/manifests/${manifest.digest}`)).status).toBe(200)
}

async function succeeds(site: AtollProcess, rule: string): Promise<string> {
  const execution = await atollJson<Execution>(site, 'replicate', 'run', rule, '--wait')
  const log = await taskLogs(site, execution.id)
  expect(execution.status, log).toBe('Succeed')
  return log
}

describe('a rebuilt layer', () => {
  test('is pushed to another site as what changed in it', async () => {
    const { first, second, changed } = await prepared('pushed')
    await atollCli(a, 'replicate', 'rule', 'create', 'push', '--push-to', 'b', '--repository', 'pushed/**')
    await pushImage(targetAt(a, 'pushed/app'), first, '1')
    await succeeds(a, 'push')
    await pushImage(targetAt(a, 'pushed/app'), second, '2')
    toB.reset()
    const log = await succeeds(a, 'push')
    expect(log).toMatch(/taken from blobs that were there/)
    await expectThere(b, 'pushed/app', second)
    expect(toB.pushed + toB.pulled).toBeLessThan(changed * 1.6)
  })

  test('is pulled from another site as what changed in it', async () => {
    const { first, second, changed } = await prepared('pulled')
    await atollCli(b, 'replicate', 'rule', 'create', 'pull', '--pull-from', 'a', '--repository', 'pulled/**')
    await pushImage(targetAt(a, 'pulled/app'), first, '1')
    await succeeds(b, 'pull')
    await pushImage(targetAt(a, 'pulled/app'), second, '2')
    toA.reset()
    const log = await succeeds(b, 'pull')
    expect(log).toMatch(/taken from blobs that were there/)
    await expectThere(b, 'pulled/app', second)
    expect(toA.pushed + toA.pulled).toBeLessThan(changed * 1.6)
  })

  test('goes on where it was when the other site is killed in the middle', async () => {
    const { first, second, changed } = await prepared('killed')
    await atollCli(a, 'replicate', 'rule', 'create', 'killed', '--push-to', 'b', '--repository', 'killed/**')
    await pushImage(targetAt(a, 'killed/app'), first, '1')
    await succeeds(a, 'killed')
    await pushImage(targetAt(a, 'killed/app'), second, '2')
    toB.reset()
    toB.bytesPerSecond = MIB
    const running = succeeds(a, 'killed')
    await toB.passed(changed / 2)
    await b.kill()
    toB.bytesPerSecond = undefined
    await b.restart()
    await running
    await expectThere(b, 'killed/app', second)
    // What had arrived is not sent again, but for what one cut may lose.
    expect(toB.pushed + toB.pulled).toBeLessThan(changed * 2.5)
  })
})

describe('what another site may ask', () => {
  const chunksOf = (name: string, digest: string, init: RequestInit = {}, target = '4096') =>
    fetch(`http://${a.origin}/v2/${name}/_atoll/chunks/${digest}?target=${target}`, init)
  const admin = { authorization: `Basic ${Buffer.from(`admin:${ADMIN_PASSWORD}`).toString('base64')}` }

  test('is what its caller may pull, in the protocol’s own words', async () => {
    await atollCli(a, 'project', 'create', 'private')
    const image = randomImage({ layers: [100_000] })
    await pushImage(targetAt(a, 'private/app'), image, '1')
    const digest = image.layers[0]?.digest ?? ''
    const ranges = (list: unknown) => ({
      method: 'POST',
      headers: { ...admin, 'content-type': 'application/json' },
      body: JSON.stringify({ ranges: list }),
    })

    expect((await chunksOf('private/app', digest)).status).toBe(401)
    expect((await chunksOf('private/app', digest, { headers: admin })).status).toBe(200)
    expect((await chunksOf('private/other', digest, { headers: admin })).status, 'knowing a digest is no right').toBe(404)
    for (const target of ['', '0', '-1', '1e3', '1000', '2048', 'NaN']) {
      expect((await chunksOf('private/app', digest, { headers: admin }, target)).status, target).toBe(400)
    }
    for (const list of [
      undefined,
      [],
      'x',
      [[0]],
      [[0, 0]],
      [[-1, 5]],
      [[0, 100_001]],
      [
        [10, 5],
        [0, 5],
      ],
      [[0.5, 1]],
      [['0', 1]],
    ]) {
      const answer = await chunksOf('private/app', digest, ranges(list))
      expect(answer.status, JSON.stringify(list)).toBe(400)
      expect(await answer.json()).toMatchObject({ errors: [{ code: 'RANGE_INVALID' }] })
    }
    expect((await chunksOf('private/app', digest, ranges([[0, 10]]))).status).toBe(200)
  })

  test('a delta that is none is refused, and its upload can still be ended', async () => {
    await atollCli(a, 'project', 'create', 'deltas')
    const begun = await fetch(`http://${a.origin}/v2/deltas/app/blobs/uploads/`, { method: 'POST', headers: admin })
    const location = new URL(begun.headers.get('location') ?? '', `http://${a.origin}`)
    const headers = { ...admin, 'content-type': 'application/vnd.atoll.delta.v1+zstd' }
    expect((await fetch(location, { method: 'PATCH', headers, body: 'no zstd' })).status, 'without a Content-Range').toBe(400)
    const refused = await fetch(location, { method: 'PATCH', headers: { ...headers, 'content-range': '0-99' }, body: 'no zstd' })
    expect(refused.status).toBe(400)
    expect(await refused.json()).toMatchObject({ errors: [{ code: expect.any(String) }] })
    expect((await fetch(location, { method: 'DELETE', headers: admin })).status).toBe(204)
  })
})
