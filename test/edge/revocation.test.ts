import { monitorEventLoopDelay } from 'node:perf_hooks'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { randomImage } from '../support/images.ts'
import { Tenant, tokenAt } from '../support/tenant.ts'
import { until } from '../support/until.ts'
import { FleetEdge } from './fleet.ts'

// What an administrator decides at an origin holds at all of its connected edges within two seconds, also where the message is lost on the
// way: the next heartbeat, at most a second later, shows the hole, and the edge comes again for what it missed.

const EDGES = 50
/** So many of them lose the line of the feed that tells of the change. */
const LOSING = 10
/** The promise, from the origin's answer to the administrator. */
const PROMISE_MS = 2_000
/** After this the test gives up. */
const DEADLINE_MS = 20_000
const ADMIN = { username: 'admin', password: ADMIN_PASSWORD }

let atoll: AtollProcess
let tenant: Tenant
const edges: FleetEdge[] = []
/** Milliseconds until each change was effective at each edge: where the message arrived, and where it was lost. */
const delays: number[] = []
const repairs: number[] = []

beforeAll(async () => {
  atoll = await startAtoll({ role: 'origin' })
  tenant = new Tenant(atoll)
  for (let i = 0; i < EDGES; i++) {
    const name = `fleet-${i}`
    edges.push(await FleetEdge.join(name, `http://${atoll.origin}`, await tenant.enrolmentToken(name)))
  }
  await allFollow()
}, 120_000)

afterAll(async () => {
  await Promise.all(edges.map((edge) => edge[Symbol.asyncDispose]()))
  await atoll?.[Symbol.asyncDispose]()
  process.stdout.write(`effective at ${EDGES} edges: ${figures(delays)}; where the message was lost: ${figures(repairs)}\n`)
})

const allFollow = () => until('all follow the feed', () => edges.every(({ state }) => state === 'connected'))

interface Case {
  readonly path: string
  readonly token?: string | undefined
  /** What the administrator does. Resolves when the origin has acknowledged it. */
  readonly change: () => Promise<unknown>
  /** Whether an answer is one that the change forbids. */
  readonly old: (answer: Response) => boolean
}

const served = ({ status }: Response) => status === 200

/** Makes the change once every edge serves the path, looks at each edge at every piece of news it gets, and counts those that still allow after two seconds. */
async function revoked({ path, token, change, old }: Case): Promise<void> {
  const before = await Promise.all(edges.map((edge) => edge.get(path, token)))
  expect(before.map(({ status }) => status)).toEqual(edges.map(() => 200))
  const losing = new Set(edges.slice(0, LOSING))
  const restore = [...losing].map((edge) => loseTheNews(edge))
  const pauses = monitorEventLoopDelay({ resolution: 10 })
  pauses.enable()
  const watched = edges.map((edge) => ({ edge, news: edge.news }))
  await change()
  const start = performance.now()
  const atPromise = Promise.withResolvers<void>()
  const promise = setTimeout(() => atPromise.resolve(), PROMISE_MS)
  const arrived: number[] = []
  const repaired: number[] = []
  const giveUp = AbortSignal.timeout(DEADLINE_MS)
  const late = Promise.withResolvers<never>()
  giveUp.addEventListener('abort', () => late.reject(new Error(`some edges did not hear of ${path}`)))
  late.promise.catch(() => {})
  const stillOld = Promise.all(
    edges.map(async (edge) => {
      await atPromise.promise
      return old(await edge.get(path, token)) ? edge.name : undefined
    }),
  )
  await Promise.all(
    watched.map(async ({ edge, news }) => {
      for (let next = news; old(await edge.get(path, token)); next = edge.news) await Promise.race([next, late.promise])
      const took = performance.now() - start
      const group = losing.has(edge) ? repaired : arrived
      group.push(took)
    }),
  )
  const allowing = (await stillOld).filter((name) => name !== undefined)
  clearTimeout(promise)
  pauses.disable()
  for (const each of restore) each()
  delays.push(...arrived)
  repairs.push(...repaired)
  // A busy machine keeps nobody's promise: who is late is printed, and who does not hear of it before the deadline has failed.
  if (allowing.length > 0)
    process.stdout.write(
      `${allowing.length} of ${EDGES} edges still allowed ${path} after ${PROMISE_MS} ms, with pauses of ${Math.round(pauses.max / 1e6)} ms here\n`,
    )
  // And it stays so.
  const after = await Promise.all(edges.map((edge) => edge.get(path, token)))
  expect(after.filter(old)).toEqual([])
}

/** The next line that tells of a change does not arrive. Heartbeats do. */
function loseTheNews({ line }: FleetEdge): () => void {
  line.loseNews = 1
  return () => {
    expect(line.loseNews).toBe(0)
  }
}

function figures(samples: readonly number[]): string {
  const sorted = samples.toSorted((a, b) => a - b)
  const at = (share: number) => Math.round(sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN)
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, worst ${at(1)} ms of ${sorted.length}`
}

describe(`at ${EDGES} edges, ${LOSING} of which lose the message`, () => {
  it('a robot that was disabled is refused', async () => {
    await tenant.project('robots', { public: false })
    await tenant.push('robots/app', randomImage(), ADMIN, 'v1')
    const robot = await tenant.robot('doomed', 'robots')
    const found = (await (await tenant.call('GET', `/api/v2.0/robots/${robot.id}`)).json()) as object
    await revoked({
      path: '/v2/robots/app/manifests/v1',
      token: await tokenAt(atoll.origin, 'repository:robots/app:pull', robot),
      change: () => tenant.call('PUT', `/api/v2.0/robots/${robot.id}`, { ...found, disable: true }),
      old: served,
    })
  })

  it('a robot that lost a permission is refused', async () => {
    await tenant.project('narrowed', { public: false })
    await tenant.push('narrowed/app', randomImage(), ADMIN, 'v1')
    const robot = await tenant.robot('narrowing', 'narrowed')
    const found = (await (await tenant.call('GET', `/api/v2.0/robots/${robot.id}`)).json()) as object
    const permissions = [{ kind: 'project', namespace: 'narrowed', access: [{ resource: 'tag', action: 'list' }] }]
    await revoked({
      path: '/v2/narrowed/app/manifests/v1',
      token: await tokenAt(atoll.origin, 'repository:narrowed/app:pull', robot),
      change: () => tenant.call('PUT', `/api/v2.0/robots/${robot.id}`, { ...found, permissions }),
      old: served,
    })
  })

  it('a member who was removed is refused', async () => {
    await tenant.project('members', { public: false })
    await tenant.push('members/app', randomImage(), ADMIN, 'v1')
    const user = await tenant.user('leaver', 'Harbour54321')
    const added = await tenant.call('POST', '/api/v2.0/projects/members/members', { role_id: 3, member_user: { username: 'leaver' } })
    const member = added.headers.get('location')?.split('/').at(-1)
    await revoked({
      path: '/v2/members/app/manifests/v1',
      token: await tokenAt(atoll.origin, 'repository:members/app:pull', user),
      change: () => tenant.call('DELETE', `/api/v2.0/projects/members/members/${member}`),
      old: served,
    })
  })

  it('a token ends with the password that it was given for', async () => {
    await tenant.project('passwords', { public: false })
    await tenant.push('passwords/app', randomImage(), ADMIN, 'v1')
    const robot = await tenant.robot('renewed', 'passwords')
    await revoked({
      path: '/v2/passwords/app/manifests/v1',
      token: await tokenAt(atoll.origin, 'repository:passwords/app:pull', robot),
      change: () => tenant.call('PATCH', `/api/v2.0/robots/${robot.id}`, { secret: 'Another5ecret' }),
      old: served,
    })
  })

  it('a project that was made private is closed to strangers', async () => {
    await tenant.project('turning', { public: true })
    await tenant.push('turning/app', randomImage(), ADMIN, 'v1')
    await revoked({
      path: '/v2/turning/app/manifests/v1',
      change: () => tenant.call('PUT', '/api/v2.0/projects/turning', { metadata: { public: 'false' } }),
      old: served,
    })
  })

  it('a tag that was moved leads to the old manifest no more', async () => {
    await tenant.project('tags', { public: true })
    const first = randomImage()
    await tenant.push('tags/app', first, ADMIN, 'v1')
    const next = randomImage()
    await tenant.push('tags/app', next, ADMIN, 'next')
    await revoked({
      path: '/v2/tags/app/manifests/v1',
      change: () => tenant.push('tags/app', next, ADMIN, 'v1'),
      old: ({ status, headers }) => status !== 200 || headers.get('docker-content-digest') !== next.manifest.digest,
    })
  })

  it('a tag that was deleted is gone', async () => {
    await tenant.project('deleted', { public: true })
    await tenant.push('deleted/app', randomImage(), ADMIN, 'v1')
    const token = await tokenAt(atoll.origin, 'repository:deleted/app:delete,pull', ADMIN)
    await revoked({
      path: '/v2/deleted/app/manifests/v1',
      change: async () => {
        const answer = await fetch(`http://${atoll.origin}/v2/deleted/app/manifests/v1`, {
          method: 'DELETE',
          headers: { authorization: `Bearer ${token}` },
        })
        expect(answer.status).toBe(202)
      },
      old: ({ status }) => status !== 404,
    })
  })

  it('what a withdrawn key has signed is good no more', async () => {
    const [key] = (await (await tenant.call('GET', '/api/atoll/v1/keys')).json()) as { kid: string }[]
    await revoked({
      path: '/v2/',
      token: await tokenAt(atoll.origin, 'repository:robots/app:pull', ADMIN),
      change: () => tenant.call('DELETE', `/api/atoll/v1/keys/${key?.kid}`),
      old: served,
    })
    const token = await tokenAt(atoll.origin, 'repository:robots/app:pull', ADMIN)
    // On a busy machine a beat may be late, and an edge that does not hear its origin cannot ask it for the new key: it says 503 so long.
    for (const edge of edges)
      await expect.poll(async () => (await edge.get('/v2/robots/app/manifests/v1', token)).status, { timeout: DEADLINE_MS }).toBe(200)
  })
})
