import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { pushImage, randomImage, type TestImage } from '../support/images.ts'
import { run } from '../support/run.ts'
import { until } from '../support/until.ts'
import { type CountingProxy, countingProxy } from './counting-proxy.ts'
import { atollCli, atollJson, basic, type Execution, pull, targetAt } from './sites.ts'

// Three origins, and a rule from each to each other: what is pushed or deleted anywhere is so everywhere.

const NAMES = ['a', 'b', 'c'] as const
type Name = (typeof NAMES)[number]

const sites = new Map<Name, AtollProcess>()
/** Each direction is a link of its own. */
const links = new Map<string, CountingProxy>()

const site = (name: Name) => sites.get(name) as AtollProcess
const link = (from: Name, to: Name) => links.get(`${from} to ${to}`) as CountingProxy

beforeAll(async () => {
  await Promise.all(NAMES.map(async (name) => sites.set(name, await startAtoll({ role: 'origin' }))))
  for (const from of NAMES) {
    await atollCli(site(from), 'project', 'create', 'ring')
    await atollCli(site(from), 'project', 'create', 'keep')
    for (const to of NAMES.filter((other) => other !== from)) {
      const proxy = await countingProxy(site(to).origin)
      links.set(`${from} to ${to}`, proxy)
      const env = { HOME: site(from).data, ATOLL_SERVER: `http://${site(from).origin}`, ATOLL_USERNAME: 'admin', ATOLL_PASSWORD: ADMIN_PASSWORD }
      const cli = new URL('../../cli/atoll', import.meta.url).pathname
      const added = await run(cli, ['replicate', 'endpoint', 'add', to, proxy.url, '--login', 'admin'], { env, input: `${ADMIN_PASSWORD}\n` })
      expect(added.code, added.stderr).toBe(0)
      await rule(from, `ring-${to}`, to, 'ring/**', true)
      await rule(from, `keep-${to}`, to, 'keep/**', false)
    }
  }
}, 180_000)

afterAll(async () => {
  for (const one of [...links.values(), ...sites.values()]) await one[Symbol.asyncDispose]()
})

async function rule(from: Name, name: string, to: Name, pattern: string, deletions: boolean): Promise<void> {
  const options = ['--push-to', to, '--repository', pattern, '--on-push', ...(deletions ? ['--deletions'] : [])]
  await atollCli(site(from), 'replicate', 'rule', 'create', name, ...options)
}

async function digestAt(name: Name, reference: string): Promise<string | null> {
  const [repository, tag] = reference.split(':')
  const answer = await pull(site(name), `${repository}/manifests/${tag}`)
  await answer.arrayBuffer()
  return answer.status === 200 ? answer.headers.get('docker-content-digest') : null
}

/** Every site has what the feeds tell, all executions have ended, and nothing is on any link. */
async function atRest(): Promise<void> {
  let requests = -1
  await until(
    'the sites have come to rest',
    async () => {
      for (const name of NAMES) {
        const executions = await atollJson<Execution[]>(site(name), 'replicate', 'ls')
        if (executions.some(({ status }) => status === 'InProgress')) return false
      }
      const before = requests
      requests = [...links.values()].reduce((sum, proxy) => sum + proxy.requests.length, 0)
      return requests === before
    },
    120_000,
  )
}

/** A push of its own at each site: whoever comes later in the feeds comes after everything that a loop would have set off. */
async function nothingFollows(): Promise<void> {
  for (const proxy of links.values()) proxy.reset()
  const marker = randomImage()
  await push('a', 'ring/marker', marker, `after-${Date.now()}`)
  await atRest()
  const others = [...links.values()].flatMap(({ requests }) =>
    requests.filter((line) => line.includes('/v2/') && !line.includes('ring/marker') && !line.endsWith('/v2/')),
  )
  expect(others, 'nothing but the marker was on any link').toEqual([])
}

const push = (name: Name, repository: string, image: TestImage, tag: string) => pushImage(targetAt(site(name), repository), image, tag)

async function deleteTag(name: Name, reference: string): Promise<void> {
  const [repository, tag] = reference.split(':')
  const answer = await fetch(`http://${site(name).origin}/v2/${repository}/manifests/${tag}`, {
    method: 'DELETE',
    headers: basic('admin', ADMIN_PASSWORD),
  })
  expect(answer.status).toBe(202)
}

interface AuditLine {
  readonly operation: string
  readonly resource: string
  readonly operation_description?: string
}

async function conflicts(name: Name, reference: string): Promise<string[]> {
  const answer = await site(name).api('GET', '/api/v2.0/auditlog-exts?page_size=100&q=operation%3Dconflict')
  const lines = (await answer.json()) as AuditLine[]
  return lines.filter(({ resource }) => resource === reference).map((line) => JSON.stringify(line))
}

async function everywhere(reference: string, digest: string | null): Promise<void> {
  for (const name of NAMES) {
    await until(`${reference} is ${digest} at ${name}`, async () => (await digestAt(name, reference)) === digest, 60_000)
  }
}

describe('three origins in a ring, both ways', () => {
  test('a push at each is everywhere, and then nobody asks anybody for anything', async () => {
    const images = new Map(NAMES.map((name) => [name, randomImage({ layers: [20_000] })]))
    await Promise.all(NAMES.map((name) => push(name, 'ring/app', images.get(name) as TestImage, `from-${name}`)))
    for (const name of NAMES) await everywhere(`ring/app:from-${name}`, images.get(name)?.manifest.digest ?? '')
    await atRest()
    await nothingFollows()
  }, 180_000)

  test('of two pushes that did not know of each other the newer stays, and every site that had the other says so', async () => {
    await push('a', 'ring/app', randomImage(), 'latest')
    await atRest()
    const [older, newer] = [randomImage({ layers: [10_000] }), randomImage({ layers: [10_000] })]
    for (const proxy of links.values()) proxy.cut = true
    await push('a', 'ring/app', older, 'latest')
    await push('b', 'ring/app', newer, 'latest')
    await until('all of them have tried', () => [link('a', 'b'), link('b', 'a'), link('b', 'c')].every(({ refused }) => refused > 0))
    expect([await digestAt('a', 'ring/app:latest'), await digestAt('b', 'ring/app:latest')]).toEqual([older.manifest.digest, newer.manifest.digest])
    for (const proxy of links.values()) proxy.cut = false
    await everywhere('ring/app:latest', newer.manifest.digest)
    await atRest()
    await everywhere('ring/app:latest', newer.manifest.digest)
    for (const name of ['a', 'b'] as const) {
      const told = await conflicts(name, 'ring/app:latest')
      expect(told, `the audit log of ${name}`).toHaveLength(1)
      expect(told[0]).toContain(older.manifest.digest)
      expect(told[0]).toContain(newer.manifest.digest)
    }
    await nothingFollows()
  }, 240_000)

  test('a deletion goes everywhere where it is asked for, stays where it is not, and nothing brings back what was deleted', async () => {
    const image = randomImage({ layers: [5_000] })
    await push('a', 'ring/app', image, 'gone')
    await push('a', 'keep/app', image, 'gone')
    await everywhere('ring/app:gone', image.manifest.digest)
    await everywhere('keep/app:gone', image.manifest.digest)
    await atRest()
    await deleteTag('b', 'ring/app:gone')
    await deleteTag('b', 'keep/app:gone')
    await everywhere('ring/app:gone', null)
    await atRest()
    expect(await Promise.all(NAMES.map((name) => digestAt(name, 'keep/app:gone')))).toEqual([image.manifest.digest, null, image.manifest.digest])
    // A run that catches up with everything sends what it has: it is older than the deletion.
    const caughtUp = await atollJson<Execution>(site('a'), 'replicate', 'run', 'keep-b', '--wait')
    expect(caughtUp.status).toBe('Succeed')
    expect(await digestAt('b', 'keep/app:gone')).toBeNull()
    await everywhere('ring/app:gone', null)
  }, 180_000)

  test('a repository that is deleted is gone everywhere, and may be pushed again', async () => {
    const [first, second] = [randomImage(), randomImage()]
    await push('a', 'ring/whole', first, '1')
    await push('a', 'ring/whole', second, '2')
    await everywhere('ring/whole:2', second.manifest.digest)
    await everywhere('ring/whole:1', first.manifest.digest)
    await atRest()
    expect((await site('c').api('DELETE', '/api/v2.0/projects/ring/repositories/whole')).status).toBe(200)
    await everywhere('ring/whole:1', null)
    await everywhere('ring/whole:2', null)
    await push('b', 'ring/whole', first, '1')
    await everywhere('ring/whole:1', first.manifest.digest)
    await atRest()
    await everywhere('ring/whole:2', null)
  }, 180_000)

  test('whoever may only push cannot say when he did', async () => {
    await atRest()
    await atollCli(site('a'), 'project', 'create', 'alone')
    const robot = await atollJson<{ name: string; secret: string }>(site('a'), 'robot', 'create', 'pusher', '--project', 'alone', '--allow', 'push')
    const [first, second] = [randomImage(), randomImage()]
    const future = `${(Date.now() + 3_600_000).toString(16).padStart(12, '0')}-0000-${'f'.repeat(16)}`
    const target = { url: new URL(`http://${site('a').origin}`), repository: 'alone/app' }
    const forged = { ...basic(robot.name, robot.secret), 'atoll-tag-version': future }
    await pushImage({ ...target, headers: forged }, first, 'latest')
    await push('a', 'alone/app', second, 'latest')
    const head = await fetch(`http://${site('a').origin}/v2/alone/app/manifests/latest`, {
      method: 'HEAD',
      headers: { ...basic('admin', ADMIN_PASSWORD), accept: '*/*', 'atoll-tag-version': '*' },
    })
    expect(head.headers.get('docker-content-digest')).toBe(second.manifest.digest)
    expect((head.headers.get('atoll-tag-version') ?? '') < future, 'the future was not believed').toBe(true)
    const asked = await fetch(head.url, { method: 'HEAD', headers: { ...basic(robot.name, robot.secret), accept: '*/*', 'atoll-tag-version': '*' } })
    expect(asked.headers.get('atoll-tag-version')).toBeNull()
    // And whoever may say so is not believed beyond a day.
    const far = `${(Date.now() + 3 * 24 * 3_600_000).toString(16).padStart(12, '0')}-0000-${'f'.repeat(16)}`
    const refused = await fetch(`http://${site('a').origin}/v2/alone/app/manifests/latest`, {
      method: 'DELETE',
      headers: { ...basic('admin', ADMIN_PASSWORD), 'atoll-tag-version': far },
    })
    expect(refused.status).toBe(503)
    expect(await refused.text()).toMatch(/72 hours ahead of this site's clock/)
  }, 120_000)
})
