import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../support/until.ts'
import { ADMIN, TestEdge, TestOrigin, tokenOf } from './support.ts'
import { bundleWorker, TestWorker } from './worker-support.ts'

type Event = { readonly event: string; readonly digest?: string; readonly bytes?: number; readonly blobs?: number; readonly message?: string }

describe.each([
  ['Node', async (origin: TestOrigin) => await TestEdge.start(origin)],
  ['a Worker', async (origin: TestOrigin) => await TestWorker.start(origin, await bundleWorker())],
])('warming an edge in %s', (_kind, start) => {
  let origin: TestOrigin
  let edge: TestEdge | TestWorker
  let bearer: string

  beforeAll(async () => {
    origin = await TestOrigin.start()
    await origin.project('team', { public: false })
    edge = await start(origin)
    bearer = await tokenOf(await edge.token('repository:team/app:pull', ADMIN))
  })
  afterAll(async () => {
    await edge?.[Symbol.asyncDispose]()
    await origin?.[Symbol.asyncDispose]()
  })

  const warm = async (body: unknown, token: string | undefined = bearer) =>
    await fetch(`${edge.url}/api/atoll/v1/warm`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(token !== '' && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify(body),
    })
  const eventsOf = async (response: Response) =>
    (await response.text())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Event)
  const asked = () => edge.line.asked.filter((path) => path.includes(' /v2/')).length

  it('brings everything that an image needs, says how it gets on, and leaves nothing to ask for', async () => {
    const image = await origin.push('team/app', '1.0.0', randomBytes(2_000_000))
    const answer = await warm({ image: 'team/app:1.0.0' })
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/x-ndjson'])
    const events = await eventsOf(answer)
    expect(events[0]).toMatchObject({ event: 'plan', digest: image.digest, manifests: 1, blobs: 2 })
    expect(events.filter(({ event }) => event === 'blob').map(({ digest }) => digest)).toContain(image.layer)
    expect(events.at(-1)).toMatchObject({ event: 'done', digest: image.digest, blobs: 2 })
    await until('what is pulled asks the origin nothing', async () => {
      const before = asked()
      for (const path of ['manifests/1.0.0', `blobs/${image.layer}`]) expect((await edge.get(`/v2/team/app/${path}`, bearer)).status).toBe(200)
      return asked() === before
    })
  })

  it('is for those who may pull, and says what it cannot find', async () => {
    expect((await warm({ image: 'team/app:1.0.0' }, '')).status).toBe(401)
    const robot = await origin.robot('other', 'library')
    const stranger = await tokenOf(await edge.token('repository:team/app:pull', robot))
    expect((await warm({ image: 'team/app:1.0.0' }, stranger)).status).toBe(403)
    expect((await warm({ image: 'team/app:nothing' })).status).toBe(404)
    for (const body of [{}, { image: 5 }, { image: 'team/app:1', platforms: 'linux' }, 'text', { image: 'Team/App' }]) {
      expect((await warm(body)).status).toBe(400)
    }
  })
})

describe('a warming rule', () => {
  it('has an edge fetch what is pushed, and nothing else, before anybody asks', async () => {
    await using origin = await TestOrigin.start()
    await origin.project('team', { public: false })
    await origin.api('PUT', '/api/atoll/v1/projects/team/warming', { patterns: ['web/*:v*'], edges: ['edge-a'] })
    await using edge = await TestEdge.start(origin, { name: 'edge-a' })
    await using other = await TestEdge.start(origin, { name: 'edge-b' })
    const dev = await origin.push('team/web/app', 'dev')
    const image = await origin.push('team/web/app', 'v1')
    await until('the edge has the layer', () => edge.line.asked.some((path) => path === `GET /v2/team/web/app/blobs/${image.layer}`))
    expect(edge.line.asked.some((path) => path.includes(dev.layer))).toBe(false)
    const bearer = await tokenOf(await edge.token('repository:team/web/app:pull', ADMIN))
    await until('what is pulled asks the origin nothing', async () => {
      const before = edge.line.asked.filter((path) => path.includes(' /v2/')).length
      for (const path of ['manifests/v1', `blobs/${image.layer}`]) expect((await edge.get(`/v2/team/web/app/${path}`, bearer)).status).toBe(200)
      return edge.line.asked.filter((path) => path.includes(' /v2/')).length === before
    })
    expect(other.line.asked.filter((path) => path.includes(' /v2/'))).toEqual([])
  })
})
