import { randomBytes } from 'node:crypto'
import { Agent, setGlobalDispatcher } from 'undici'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { headOfChanges } from '../../schema/changes.ts'
import { type Credentials, type PushedImage, sha256, TestEdge, TestOrigin, tokenOf } from '../edge/support.ts'
import { type Alive, alive } from './week/alive.ts'
import { Time } from './week/time.ts'

const HOUR = 3_600_000
const ROUNDS_A_DAY = 4
const ROUND = (24 / ROUNDS_A_DAY) * HOUR
/** Of a round, seconds in which the feed beats; then the machine sleeps. */
const BEATS = 40
const DAYS = 7
const LAYER_BYTES = 200_000
/** Room for some of what a day pulls. */
const CACHE_BYTES = 3_000_000
/** Of the week: the origin is away for longer than the edge's grace of a day. */
const AWAY = { from: 2 * ROUNDS_A_DAY + 1, to: 3 * ROUNDS_A_DAY + 3 }

// A connection for each request: what the pool of the test's own clients keeps open in advance is none of the edge's.
setGlobalDispatcher(new Agent({ pipelining: 0 }))

const time = new Time()
let origin: TestOrigin
let edge: TestEdge
let member: Credentials & { readonly id: number }
/** What each tag was at the origin when the edge last heard from it. */
const tags = new Map<string, PushedImage>()
/** Manifests that the edge has given of `stays/app`. */
let given = 0

beforeAll(async () => {
  origin = await TestOrigin.start({ 'token.key_lifetime': 2 * 86_400 }, time.origin)
  await origin.project('open', { public: true })
  await origin.project('closed', { public: false })
  await origin.project('turned', { public: true })
  await origin.project('stays', { public: true })
  await origin.api('PUT', '/api/atoll/v1/projects/stays/grace', { public_afterwards: true })
  await origin.api('POST', '/api/v2.0/registries', { name: 'itself', type: 'docker-registry', url: origin.url, insecure: true })
  const registries = (await (await origin.api('GET', '/api/v2.0/registries')).json()) as { id: number; name: string }[]
  const registry_id = registries.find(({ name }) => name === 'itself')?.id
  await origin.api('POST', '/api/v2.0/projects', { project_name: 'mirrored', public: true, registry_id })
  member = await origin.robot('member', 'closed')
  edge = await TestEdge.start(origin, { clock: time.edge, grace: 86_400, settings: { 'edge.cache.max_bytes': { bytes: CACHE_BYTES } } })
  // Node writes the machine's own time there, and an edge whose clock is wrong sets it by that.
  edge.line.forge = async (_url, response) => {
    const headers = new Headers(response.headers)
    headers.set('Date', new Date(time.origin.now()).toUTCString())
    return new Response(response.body, { status: response.status, headers })
  }
}, 120_000)

afterAll(async () => {
  await edge?.[Symbol.asyncDispose]()
  await origin?.[Symbol.asyncDispose]()
})

async function push(name: string): Promise<PushedImage> {
  const image = await time.during(origin.push(name, 'v1', randomBytes(LAYER_BYTES)))
  tags.set(name, image)
  return image
}

async function get(path: string, token?: string): Promise<{ readonly status: number; readonly digest: string }> {
  const answer = await time.during(edge.get(path, token))
  return { status: answer.status, digest: sha256(new Uint8Array(await answer.arrayBuffer())) }
}

/** Pulls as a client does. Whatever has been given was right. */
async function pull(name: string, token?: string, tag = name): Promise<number> {
  const manifest = await get(`/v2/${name}/manifests/v1`, token)
  if (manifest.status !== 200) return manifest.status
  if (name === 'stays/app') given++
  expect(manifest.digest).toBe(tags.get(tag)?.digest)
  const layer = tags.get(tag)?.layer
  const blob = await get(`/v2/${name}/blobs/${layer}`, token)
  if (blob.status === 200) expect(blob.digest).toBe(layer)
  return blob.status
}

const login = async (who?: Credentials) => await time.during(edge.token('repository:closed/app:pull', who))

/** The edge follows its feed to where the origin is. */
async function settled(): Promise<void> {
  await time.until('the edge hears its origin', () => edge.status?.state === 'connected')
  const head = await headOfChanges(origin.running.services.db)
  await time.until('the edge has heard the last news', () => (edge.status?.cursor ?? 0) >= head)
}

/** A day repeats its names and not its contents, its people or its secrets. */
async function connectedRound(round: number): Promise<void> {
  const n = round % ROUNDS_A_DAY
  const [open, closed, stays] = [`open/app-${n}`, 'closed/app', 'stays/app']
  for (const name of [open, closed, stays]) await push(name)
  const guest = await time.during(origin.robot(`guest-${round}`, 'closed'))
  await settled()
  const [ofMember, ofGuest] = [await tokenOf(await login(member)), await tokenOf(await login(guest))]
  expect([await pull(open), await pull(stays), await pull(closed, ofMember), await pull(closed, ofGuest)]).toEqual([200, 200, 200, 200])
  expect(await pull(`mirrored/${open}`, undefined, open)).toBe(200)
  const together = await time.during(Promise.all(Array.from({ length: 8 }, () => edge.get(`/v2/open/app-${(n + 1) % ROUNDS_A_DAY}/tags/list`))))
  expect(new Set(together.map(({ status }) => status)).size).toBe(1)
  // What is not there, and what is none of theirs.
  for (const path of [`/v2/open/none-${n}/manifests/v1`, `/v2/open/app-${n}/manifests/none`, `/v2/open/app-${n}/blobs/${tags.get(closed)?.layer}`])
    expect((await get(path)).status).toBe(404)
  expect((await get(`/v2/nobody-${n}/app/manifests/v1`)).status).toBe(401)
  expect((await login({ ...member, password: 'Wrong12345' })).status).toBe(401)
  // What is taken back: a robot, a tag, what was public.
  await time.during(origin.api('DELETE', `/api/v2.0/robots/${guest.id}`))
  await time.during(origin.api('DELETE', `/api/v2.0/projects/open/repositories/app-${n}/artifacts/v1/tags/v1`))
  await time.during(origin.api('PUT', '/api/v2.0/projects/turned', { metadata: { public: String(round % 2 === 0) } }))
  await settled()
  expect([await pull(closed, ofGuest), await pull(open)]).toEqual([401, 404])
  expect((await get('/v2/turned/app/manifests/v1')).status).toBe(round % 2 === 0 ? 404 : 401)
  // Its lease outlives the tag at an upstream that nobody follows, and is over the next time.
  tags.delete(open)
  await push(open)
  await settled()
}

/** Nothing new comes; what is held is right for as long as it may be given at all. */
async function roundWithout(round: number): Promise<void> {
  const inGrace = round - AWAY.from < ROUNDS_A_DAY
  const stays = await pull('stays/app')
  expect([200, 503]).toContain(stays)
  const open = await pull(`open/app-${round % ROUNDS_A_DAY}`)
  expect(inGrace ? [200, 502, 503] : [503]).toContain(open)
  const token = await login(member)
  expect(token.status).toBe(inGrace ? 200 : 503)
  if (inGrace) expect([200, 502, 503]).toContain(await pull('closed/app', await tokenOf(token)))
  expect((await login({ ...member, password: 'Wrong12345' })).status).toBe(503)
}

/** So many more of these than after the first day, and something is kept that nobody needs. They breathe a little with what runs at the moment. */
const SLACK: Alive = { Promise: 20, 'open files and sockets': 20, 'resources of the loop': 10, 'heap in MiB': 3 }
const SLACK_OF_OTHERS = 5

it('a week of pulls, leases, revocations, evictions and an outage leaves an edge as small as its first day did', { timeout: 900_000 }, async () => {
  const days: Alive[] = []
  for (let round = 0; round < DAYS * ROUNDS_A_DAY; round++) {
    const ends = time.now() + ROUND
    const away = round >= AWAY.from && round < AWAY.to
    if (round === AWAY.from) edge.line.cut()
    if (round === AWAY.to) edge.line.down = false
    if (away) await roundWithout(round)
    else await connectedRound(round)
    await time.pass(BEATS, away ? turn : heard)
    // The rest of the round in two leaps: every lease, watchdog and deadline of it falls due.
    for (const part of [2, 1]) {
      time.skip(Math.max(0, (ends - time.now()) / part))
      if (!away) await settled()
    }
    // The grace of a login begins when the origin confirms it: at the end of a round, so that it ends with one.
    if (!away) expect((await login(member)).status).toBe(200)
    edge.line.asked.length = 0
    if ((round + 1) % ROUNDS_A_DAY === 0) days.push(await alive({ 'the edge': time.edge, 'the origin': time.origin }))
  }
  const [first = {}, ...later] = days
  const grown = later.flatMap((day, index) =>
    Object.entries(day).flatMap(([what, count]) =>
      count > (first[what] ?? 0) + (SLACK[what] ?? SLACK_OF_OTHERS)
        ? [`${what}: ${first[what]} after the first day, ${count} after day ${index + 2}`]
        : [],
    ),
  )
  expect(grown).toEqual([])
  // What was told of all that, and what is held now.
  const page = await (await time.during(edge.get('/metrics'))).text()
  const metric = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(page)?.[1])
  expect(metric('atoll_edge_cache_evicted_total')).toBeGreaterThan(0)
  expect(metric('atoll_edge_cache_bytes')).toBeLessThanOrEqual(CACHE_BYTES)
  for (const idle of ['atoll_edge_cache_reserved_bytes', 'atoll_edge_fills_in_progress', 'atoll_edge_fill_memory_bytes'])
    expect([idle, metric(idle)]).toEqual([idle, 0])
  const counted = async () =>
    ((await (await origin.api('GET', '/api/v2.0/projects/stays/repositories/app')).json()) as { pull_count: number }).pull_count
  await time.until('each pull is counted', async () => (await counted()) >= given)
  expect(await counted()).toBe(given)
})

async function turn(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1))
}

/** The edge has heard the beat of this second. */
async function heard(): Promise<void> {
  while (edge.status?.state === 'connected' && edge.status.lag !== 0) await new Promise((resolve) => setImmediate(resolve))
}
