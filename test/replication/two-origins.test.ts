import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { pushImage, randomImage, randomIndex, type TestImage } from '../support/images.ts'
import { run } from '../support/run.ts'
import { until } from '../support/until.ts'
import { type CountingProxy, countingProxy } from './counting-proxy.ts'
import { atollCli, atollJson, bytesAt, type Execution, pull, pushSignature, targetAt, taskLogs } from './sites.ts'

let a: AtollProcess
let b: AtollProcess
/** What A knows B by, and B knows A by. */
let toB: CountingProxy
let toA: CountingProxy

beforeAll(async () => {
  ;[a, b] = await Promise.all([startAtoll({ role: 'origin' }), startAtoll({ role: 'origin' })])
  ;[toA, toB] = await Promise.all([countingProxy(a.origin), countingProxy(b.origin)])
  for (const [site, name, proxy] of [
    [a, 'b', toB],
    [b, 'a', toA],
  ] as const) {
    const added = await addEndpoint(site, name, proxy.url, 'admin', ADMIN_PASSWORD)
    expect(added.code, added.stderr).toBe(0)
    await atollCli(site, 'replicate', 'endpoint', 'ping', name)
  }
}, 120_000)

afterAll(async () => {
  for (const one of [toA, toB, a, b]) await one?.[Symbol.asyncDispose]()
})

function addEndpoint(site: AtollProcess, name: string, url: string, username: string, password: string) {
  return cliWithInput(site, `${password}\n`, 'replicate', 'endpoint', 'add', name, url, '--login', username)
}

function cliWithInput(site: AtollProcess, input: string, ...args: string[]) {
  const env = { HOME: site.data, ATOLL_SERVER: `http://${site.origin}`, ATOLL_USERNAME: 'admin', ATOLL_PASSWORD: ADMIN_PASSWORD }
  return run(new URL('../../cli/atoll', import.meta.url).pathname, args, { env, input })
}

async function project(site: AtollProcess, name: string): Promise<void> {
  await atollCli(site, 'project', 'create', name)
}

const runRule = (site: AtollProcess, rule: string) => atollJson<Execution>(site, 'replicate', 'run', rule, '--wait')

async function expectWhole(site: AtollProcess, repository: string, image: TestImage): Promise<void> {
  for (const child of image.children) await expectWhole(site, repository, child)
  for (const { digest, bytes } of image.blobs) expect((await bytesAt(site, `${repository}/blobs/${digest}`)).equals(bytes), digest).toBe(true)
  expect((await bytesAt(site, `${repository}/manifests/${image.manifest.digest}`)).equals(image.manifest.bytes)).toBe(true)
}

/** All executions of a site have ended, and none has begun for as long as the feed needs to be read. */
async function atRest(site: AtollProcess): Promise<Execution[]> {
  let executions: Execution[] = []
  await until('the executions have ended', async () => {
    executions = await atollJson<Execution[]>(site, 'replicate', 'ls')
    return executions.every(({ status }) => status !== 'InProgress')
  })
  return executions
}

describe('two origins', () => {
  test('push an index of two platforms with its signatures, then nothing a second time', async () => {
    await project(a, 'pushed')
    const index = randomIndex(['amd64', 'arm64'], [200_000, 1_000])
    await pushImage(targetAt(a, 'pushed/app'), index, '1')
    const signature = await pushSignature(targetAt(a, 'pushed/app'), index.manifest)
    const child = index.children[0]
    const sbom = child && (await pushSignature(targetAt(a, 'pushed/app'), child.manifest))
    await atollCli(a, 'replicate', 'rule', 'create', 'push', '--push-to', 'b', '--repository', 'pushed/**')

    toB.reset()
    const first = await runRule(a, 'push')
    expect(first).toMatchObject({ status: 'Succeed', trigger: 'manual', total: 1, succeed: 1, failed: 0 })
    const missing = index.children.flatMap(({ blobs }) => blobs).reduce((sum, { bytes }) => sum + bytes.length, 0)
    expect(toB.pushed).toBeGreaterThanOrEqual(missing)
    expect(toB.pushed).toBeLessThan(missing * 1.02)

    await expectWhole(b, 'pushed/app', index)
    expect((await pull(b, 'pushed/app/manifests/1')).headers.get('docker-content-digest')).toBe(index.manifest.digest)
    const referrers = (await (await pull(b, `pushed/app/referrers/${index.manifest.digest}`)).json()) as { manifests: { digest: string }[] }
    expect(referrers.manifests.map(({ digest }) => digest)).toEqual([signature.digest])
    const ofChild = (await (await pull(b, `pushed/app/referrers/${child?.manifest.digest}`)).json()) as { manifests: { digest: string }[] }
    expect(ofChild.manifests.map(({ digest }) => digest)).toEqual([sbom?.digest])

    toB.reset()
    expect((await runRule(a, 'push')).status).toBe('Succeed')
    expect(toB.pushed).toBe(0)
    expect(toB.requests.filter((line) => !/^(GET|HEAD) /.test(line))).toEqual([])
  })

  test('pull by name and tag, and only what is missing', async () => {
    await project(a, 'pulled')
    const [wanted, other] = [randomImage({ layers: [300_000] }), randomImage()]
    await pushImage(targetAt(a, 'pulled/app'), wanted, 'v1')
    await pushImage(targetAt(a, 'pulled/app'), other, 'latest')
    await atollCli(b, 'replicate', 'rule', 'create', 'pull', '--pull-from', 'a', '--repository', 'pulled/**', '--tag', 'v*')
    toA.reset()
    expect(await runRule(b, 'pull')).toMatchObject({ status: 'Succeed', succeed: 1 })
    await expectWhole(b, 'pulled/app', wanted)
    expect((await pull(b, 'pulled/app/manifests/latest')).status).toBe(404)
    const size = wanted.blobs.reduce((sum, { bytes }) => sum + bytes.length, 0)
    expect(toA.pulled).toBe(size)

    toA.reset()
    expect((await runRule(b, 'pull')).status).toBe('Succeed')
    expect(toA.pulled).toBe(0)
  })

  test('a layer that another repository there has from us does not travel, pushed or pulled', async () => {
    await project(a, 'shared')
    const base = randomBytes(400_000)
    const [first, second, third] = [[base], [base, 1_000], [base, 2_000]].map((layers) => randomImage({ layers }))
    if (!first || !second || !third) throw new Error('no images')
    await pushImage(targetAt(a, 'shared/first'), first, '1')
    await atollCli(a, 'replicate', 'rule', 'create', 'shared', '--push-to', 'b', '--repository', 'shared/**')
    expect((await runRule(a, 'shared')).status).toBe('Succeed')
    await pushImage(targetAt(a, 'shared/second'), second, '1')
    toB.reset()
    expect((await runRule(a, 'shared')).status).toBe('Succeed')
    await expectWhole(b, 'shared/second', second)
    expect(toB.pushed).toBeLessThan(3_000)

    await pushImage(targetAt(a, 'shared/third'), third, '1')
    await atollCli(b, 'replicate', 'rule', 'create', 'shared', '--pull-from', 'a', '--repository', 'shared/third')
    toA.reset()
    expect((await runRule(b, 'shared')).status).toBe('Succeed')
    await expectWhole(b, 'shared/third', third)
    expect(toA.pulled).toBeLessThan(4_000)
  })

  test('go into a project with all of their names below it, or flat where a rule says so, and never two under one name', async () => {
    await Promise.all([project(a, 'named'), project(b, 'levels'), project(b, 'flat')])
    const [one, two] = [randomImage(), randomImage()]
    await pushImage(targetAt(a, 'named/one/app'), one, '1')
    await pushImage(targetAt(a, 'named/two/app'), two, '1')
    const rule = ['--push-to', 'b', '--repository', 'named/**']
    await atollCli(a, 'replicate', 'rule', 'create', 'levels', ...rule, '--namespace', 'levels')
    expect(await runRule(a, 'levels')).toMatchObject({ status: 'Succeed', total: 2 })
    await expectWhole(b, 'levels/one/app', one)
    await expectWhole(b, 'levels/two/app', two)

    expect((await a.cli('replicate', 'rule', 'create', 'flat', ...rule, '--flatten')).code, 'into what?').toBe(2)
    await atollCli(a, 'replicate', 'rule', 'create', 'flat', ...rule, '--namespace', 'flat', '--flatten')
    const refused = await a.cli('replicate', 'run', 'flat', '--wait', '--json')
    expect(refused.code).toBe(1)
    expect(JSON.parse(refused.stdout)).toMatchObject({ status: 'Failed', failed: 2 })
    expect((await pull(b, 'flat/app/manifests/1')).status).toBe(404)
  })

  test('a nightly rule that keeps what is there leaves a moved tag alone, says so, and succeeds', async () => {
    await project(a, 'kept')
    const [first, second, other] = [randomImage(), randomImage(), randomImage()]
    await pushImage(targetAt(a, 'kept/app'), first, '1')
    await atollCli(
      a,
      'replicate',
      'rule',
      'create',
      'kept',
      '--push-to',
      'b',
      '--repository',
      'kept/**',
      '--keep-existing',
      '--schedule',
      '0 0 3 * * *',
    )
    expect((await runRule(a, 'kept')).status).toBe('Succeed')
    await pushImage(targetAt(a, 'kept/app'), second, '1')
    await pushImage(targetAt(a, 'kept/app'), other, '2')
    const execution = await runRule(a, 'kept')
    expect(execution).toMatchObject({ status: 'Succeed', failed: 0 })
    expect((await pull(b, 'kept/app/manifests/1')).headers.get('docker-content-digest')).toBe(first.manifest.digest)
    await expectWhole(b, 'kept/app', other)
    expect(await taskLogs(a, execution.id)).toContain(`[WARNING] kept/app:1 stays ${first.manifest.digest}`)
  })

  test('a push sets off its rule, and two sites that follow each other come to rest', async () => {
    await project(a, 'both')
    await atollCli(a, 'replicate', 'rule', 'create', 'to-b', '--push-to', 'b', '--repository', 'both/**', '--on-push')
    await atollCli(b, 'replicate', 'rule', 'create', 'to-a', '--push-to', 'a', '--repository', 'both/**', '--on-push')
    const before = { a: (await atRest(a)).length, b: (await atRest(b)).length }
    const image = randomImage({ layers: [50_000] })
    toA.reset()
    await pushImage(targetAt(a, 'both/app'), image, '1')
    await until('the image is at B', async () => (await pull(b, 'both/app/manifests/1')).status === 200)
    await expectWhole(b, 'both/app', image)
    // B sends back what it got, finds it there, changes nothing, and so A has nothing to follow.
    await until('B has followed', async () => (await atRest(b)).length > before.b)
    const executions = { a: (await atRest(a)).length - before.a, b: (await atRest(b)).length - before.b }
    expect(executions).toEqual({ a: 1, b: 1 })
    expect(toA.pushed).toBe(0)
    // Whatever comes later in the feed comes after everything that a loop would have set off.
    const marker = randomImage()
    await pushImage(targetAt(a, 'both/marker'), marker, '1')
    await until('B has followed the marker', async () => (await atRest(b)).length >= before.b + 2)
    expect((await atRest(a)).length - before.a).toBe(2)
    expect((await atRest(b)).length - before.b).toBe(2)
  })

  test('go into a private project as a robot that may push there, and say what to do when the password is wrong', async () => {
    await Promise.all([project(a, 'secret'), project(b, 'secret')])
    const robot = await atollJson<{ name: string; secret: string }>(b, 'robot', 'create', 'mirror', '--project', 'secret', '--allow', 'push')
    expect((await addEndpoint(a, 'as-robot', toB.url, robot.name, robot.secret)).code).toBe(0)
    const image = randomImage()
    await pushImage(targetAt(a, 'secret/app'), image, '1')
    await atollCli(a, 'replicate', 'rule', 'create', 'as-robot', '--push-to', 'as-robot', '--repository', 'secret/**')
    expect((await runRule(a, 'as-robot')).status).toBe('Succeed')
    await expectWhole(b, 'secret/app', image)

    const wrong = await addEndpoint(a, 'wrong', toB.url, robot.name, 'not the secret')
    expect(wrong.stderr, 'said at once when the endpoint is added').toMatch(/login/)
    // Good when it was added, changed over there afterwards: the log has to say it.
    await atollCli(b, 'robot', 'refresh', robot.name)
    await pushImage(targetAt(a, 'secret/app'), randomImage(), '2')
    const failed = await a.cli('replicate', 'run', 'as-robot', '--wait', '--json')
    expect(failed.code).toBe(1)
    const log = await taskLogs(a, (JSON.parse(failed.stdout) as Execution).id)
    expect(log).toMatch(/ERROR\] .*does not accept our credentials/)
    expect(log).toMatch(/Look at the credentials of the endpoint/)
    expect(log, 'no secret in a log').not.toContain(robot.secret)
    expect((await atollCli(a, 'replicate', 'endpoint', 'ls')).stdout).toContain('as-robot')
    expect((await a.cli('replicate', 'endpoint', 'ping', 'as-robot')).code).toBe(1)
  })
})
