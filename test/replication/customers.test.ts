import { afterAll, beforeAll, expect, test } from 'vitest'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { pushImage, randomImage, type TestImage } from '../support/images.ts'
import { run } from '../support/run.ts'
import { until } from '../support/until.ts'
import { atollCli, atollJson, pull, targetAt } from './sites.ts'

// One project of A to a customer's registry B, with a robot of B that may do nothing else; what A's own people do by the command line.

let a: AtollProcess
let b: AtollProcess
let v1: TestImage
const OWNER = { username: 'owner', password: 'Secret-12345' }

interface Line {
  readonly repository: string
  readonly destination: string
  readonly tag: string
  readonly digest: string
  readonly delivered_at: string
  readonly bytes: number
  readonly now: string
  readonly digest_there?: string
  readonly why?: string
}

interface Customer {
  readonly name: string
  readonly expired: boolean
  readonly last: { readonly id: number; readonly status: string; readonly text: string } | null
}

/** The command line as the administrator of the project, who is nobody else. */
async function asOwner(args: string, input = '') {
  const env = { HOME: a.data, ATOLL_SERVER: `http://${a.origin}`, ATOLL_USERNAME: OWNER.username, ATOLL_PASSWORD: OWNER.password }
  return await run(new URL('../../cli/atoll', import.meta.url).pathname, ['replicate', ...args.split(' ')], { env, input })
}

async function done(args: string, input?: string): Promise<string> {
  const outcome = await asOwner(args, input)
  expect(outcome.code, outcome.stderr).toBe(0)
  return outcome.stdout
}

const report = async (name = 'acme') =>
  (await done(`report ${name} --project team --format jsonl`))
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line)

const customer = async (name: string) => (JSON.parse(await done('customer ls --project team --json')) as Customer[]).find((one) => one.name === name)

beforeAll(async () => {
  ;[a, b] = await Promise.all([
    startAtoll({ role: 'origin', env: { ATOLL_OUTBOUND_PRIVATE_NETWORKS: '127.0.0.1/32' } }),
    startAtoll({ role: 'origin' }),
  ])
  for (const name of ['team', 'other']) await atollCli(a, 'project', 'create', name)
  for (const name of ['from-vendor', 'team', 'other']) await atollCli(b, 'project', 'create', name)
  await a.api('POST', '/api/v2.0/users', { ...OWNER, email: 'owner@example.com', realname: 'Owner' })
  await a.api('POST', '/api/v2.0/projects/team/members', { role_id: 1, member_user: { username: OWNER.username } })
  v1 = randomImage({ layers: [120_000] })
  await pushImage(targetAt(a, 'team/app'), v1, 'v1')
  await pushImage(targetAt(a, 'other/secret'), randomImage(), 'v1')
}, 120_000)

afterAll(async () => {
  for (const one of [a, b]) await one?.[Symbol.asyncDispose]()
})

test('a project goes to a customer with a credential for one project there, and nothing else does', async () => {
  const robot = await atollJson<{ name: string; secret: string }>(b, 'robot', 'create', 'vendor', '--project', 'from-vendor', '--allow', 'push')
  await done(
    `customer add acme http://${b.origin} --project team --login ${robot.name} --until 2099-01-01 --namespace from-vendor`,
    `${robot.secret}\n`,
  )
  expect((await asOwner('customer ping acme --project team --repository from-vendor/app')).code).toBe(0)
  const elsewhere = await asOwner('customer ping acme --project team --repository other/app')
  expect(elsewhere.code, 'the credential is for that project alone').toBe(1)
  expect(elsewhere.stderr).toMatch(/rights: login works, but .* may neither pull from other\/app nor push to it/)

  // Somebody with every right widens the rule by mistake.
  const [rule] = (await (await a.api('GET', '/api/v2.0/replication/policies?name=acme')).json()) as Record<string, unknown>[]
  const widened = { ...rule, filters: [{ type: 'name', value: '**' }], enabled: true, override: true }
  expect((await a.api('PUT', `/api/v2.0/replication/policies/${rule?.id}`, widened)).status).toBe(200)

  await done('customer deliver acme --project team')
  await until('what was there already is delivered', async () => (await customer('acme'))?.last?.status === 'Succeed')
  expect((await pull(b, 'from-vendor/app/manifests/v1')).headers.get('docker-content-digest')).toBe(v1.manifest.digest)
  const v2 = randomImage()
  await pushImage(targetAt(a, 'other/secret'), v2, 'v2')
  await pushImage(targetAt(a, 'team/app'), v2, 'v2')
  await until('and what is pushed', async () => (await pull(b, 'from-vendor/app/manifests/v2')).status === 200)
  const there = (await (await b.api('GET', '/v2/_catalog')).json()) as { repositories: string[] }
  expect(there.repositories).toEqual(['from-vendor/app'])
  expect(await a.output(), 'no secret in a log').not.toContain(robot.secret)
})

test('a report says what the customer has, and whether it is still so', async () => {
  const before = await report()
  const size = v1.blobs.reduce((sum, { bytes }) => sum + bytes.length, 0)
  expect(before).toMatchObject([
    { repository: 'team/app', destination: 'from-vendor/app', tag: 'v1', digest: v1.manifest.digest, now: 'same' },
    { repository: 'team/app', destination: 'from-vendor/app', tag: 'v2', now: 'same' },
  ])
  expect(before[0]?.bytes).toBeGreaterThanOrEqual(size)
  // The customer moves one tag and removes the other; what was delivered, and when, stays as it is.
  const own = randomImage()
  await pushImage(targetAt(b, 'from-vendor/app'), own, 'v1')
  await b.api('DELETE', '/api/v2.0/projects/from-vendor/repositories/app/artifacts/v2/tags/v2')
  expect(await report()).toEqual([
    { ...before[0], now: 'changed', digest_there: own.manifest.digest },
    { ...before[1], now: 'gone' },
  ])
  // By the administrator of the system the same, by the endpoint's name, for a spreadsheet.
  const csv = (await a.cli('replicate', 'report', 'team/acme', '--format', 'csv')).stdout.split('\r\n')
  expect(csv[0]).toBe('repository,destination,tag,digest,delivered_at,bytes,now,digest_there,why')
  expect(csv[1]).toBe(
    `team/app,from-vendor/app,v1,${v1.manifest.digest},${before[0]?.delivered_at},${before[0]?.bytes},changed,${own.manifest.digest},`,
  )
  expect(csv).toHaveLength(4)
})

test('after its last day nothing more is sent, and it is said; with a new day it goes on', async () => {
  await done('customer renew acme --project team --until 2020-01-01')
  const refused = await asOwner('customer deliver acme --project team')
  expect(refused.code).not.toBe(0)
  expect(refused.stderr).toMatch(/was to be used until 2020-01-01/)
  await pushImage(targetAt(a, 'team/app'), randomImage(), 'v3')
  await until('the push has set off a delivery that fails', async () => {
    const last = (await customer('acme'))?.last
    return last?.status === 'Failed' && /was to be used until 2020-01-01/.test(last.text)
  })
  expect((await pull(b, 'from-vendor/app/manifests/v3')).status).toBe(404)
  await done('customer renew acme --project team --until 2099-01-01')
  await done('customer deliver acme --project team')
  await until('it is there', async () => (await pull(b, 'from-vendor/app/manifests/v3')).status === 200)
})

test('a customer that pulls has a robot which may pull one project until a day', async () => {
  const robot = await atollJson<{ name: string; secret: string }>(
    a,
    'robot',
    'create',
    'customer',
    '--project',
    'team',
    '--allow',
    'pull',
    '--days',
    '30',
  )
  const login = { authorization: `Basic ${Buffer.from(`${robot.name}:${robot.secret}`).toString('base64')}` }
  const status = async (path: string, method = 'GET') => {
    const scope = /^(.+)\/(?:manifests|blobs)\//.exec(path)?.[1]
    const answer = await fetch(`http://${a.origin}/service/token?service=atoll&scope=repository:${scope}:pull,push`, { headers: login })
    const { token } = (await answer.json()) as { token?: string }
    return (await fetch(`http://${a.origin}/v2/${path}`, { method, headers: { authorization: `Bearer ${token}` } })).status
  }
  expect(await status('team/app/manifests/v1')).toBe(200)
  expect(await status('other/secret/manifests/v1')).toBe(403)
  expect(await status('team/app/blobs/uploads/', 'POST')).toBe(403)
  const [found] = (await (await a.api('GET', `/api/v2.0/projects/team/robots`)).json()) as { expires_at: number; name: string }[]
  expect(found?.expires_at).toBeGreaterThan(Date.now() / 1000 + 29 * 24 * 3600)
  expect(ADMIN_PASSWORD).not.toBe(robot.secret)
})
