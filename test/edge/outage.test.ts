import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../support/until.ts'
import { basic, type Credentials, type PushedImage, sha256, TestEdge, TestOrigin, tokenOf } from './support.ts'

const HOUR = 3_600_000

describe('an edge that loses its origin', () => {
  let origin: TestOrigin
  let open: PushedImage
  let closed: PushedImage
  let robot: Credentials

  beforeAll(async () => {
    origin = await TestOrigin.start()
    await origin.project('open', { public: true })
    await origin.project('closed', { public: false })
    open = await origin.push('open/app', 'v1')
    closed = await origin.push('closed/app', 'v1')
    robot = await origin.robot('puller', 'closed')
  })

  afterAll(async () => {
    await origin?.[Symbol.asyncDispose]()
  })

  const warm = async (edge: TestEdge): Promise<string> => {
    const bearer = await tokenOf(await edge.token('repository:closed/app:pull', robot))
    for (const [path, token] of [
      ['/v2/open/app/manifests/v1', undefined],
      [`/v2/open/app/blobs/${open.layer}`, undefined],
      ['/v2/closed/app/manifests/v1', bearer],
      [`/v2/closed/app/blobs/${closed.layer}`, bearer],
    ] as const) {
      const answer = await edge.get(path, token)
      expect(answer.status).toBe(200)
      await answer.arrayBuffer()
    }
    return bearer
  }

  it('goes on serving what it holds to those it knows, says so, and keeps logins from being thrown away', async () => {
    await using edge = await TestEdge.start(origin, { name: 'away' })
    const bearer = await warm(edge)
    edge.line.cut()
    await edge.disconnected()
    expect((await edge.get('/v2/open/app/manifests/v1')).status).toBe(200)
    const manifest = await edge.get('/v2/closed/app/manifests/v1', bearer)
    expect([manifest.status, manifest.headers.get('warning')]).toEqual([200, expect.stringContaining('has not heard from its origin')])
    const blob = await edge.get(`/v2/closed/app/blobs/${closed.layer}`, bearer)
    expect(sha256(new Uint8Array(await blob.arrayBuffer()))).toBe(closed.layer)
    expect((await edge.token('repository:open/app:pull')).status).toBe(200)
    // Who has logged in here before does so again; a secret that nobody has shown here is not called wrong.
    const again = await tokenOf(await edge.token('repository:closed/app:pull', robot))
    expect((await edge.get('/v2/closed/app/manifests/v1', again)).status).toBe(200)
    for (const unknown of [
      { ...robot, password: 'another' },
      { username: 'nobody', password: 'Harbour12345' },
    ]) {
      const login = await edge.token('repository:closed/app:pull', unknown)
      expect([login.status, login.headers.get('retry-after')]).toEqual([503, '5'])
    }
    expect(await (await edge.get('/healthz')).json()).toMatchObject({ status: 'disconnected', connected: false })
    edge.line.down = false
    await edge.connected()
    expect((await edge.get('/v2/open/app/manifests/v1')).headers.get('warning')).toBeNull()
  })

  it('keeps nobody waiting for an origin that hangs, and finds at once that it is back', { timeout: 12_000 }, async () => {
    await using edge = await TestEdge.start(origin, { name: 'patient' })
    await edge.get('/v2/open/app/manifests/v1')
    const other = await origin.push('open/other', 'v1')
    edge.line.hang()
    await edge.disconnected()
    const cold = [
      '/v2/open/app/tags/list',
      '/v2/open/other/manifests/v1',
      `/v2/open/app/referrers/${open.digest}`,
      `/v2/open/other/blobs/${other.layer}`,
    ]
    for (const refused of await Promise.all(cold.map((path) => edge.get(path)))) {
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5'])
      expect(await refused.text()).toContain('The origin of this edge cannot be reached')
    }
    expect((await edge.get('/v2/open/app/manifests/v1')).status).toBe(200)
    edge.line.release()
    expect((await edge.get('/v2/open/app/tags/list')).status).toBe(200)
    expect((await edge.get('/v2/open/other/manifests/v1')).status).toBe(200)
  })

  it('goes on after a restart without its origin, and refuses when the grace is over', async () => {
    await using edge = await TestEdge.start(origin, { name: 'restarted', grace: 7_200, settings: { 'edge.mirror.project': 'dockerhub-proxy' } })
    await warm(edge)
    await edge.stop()
    edge.line.down = true
    edge.skew = HOUR
    await edge.start()
    expect((await edge.get('/v2/open/app/manifests/v1')).status).toBe(200)
    edge.skew = 3 * HOUR
    const refused = await edge.get('/v2/open/app/manifests/v1')
    expect([refused.status, await refused.text()]).toEqual([503, expect.stringContaining('longer than its grace')])
    const login = await fetch(`${edge.url}/v2/`, { headers: { authorization: basic(robot) } })
    expect([login.status, await login.text()]).toEqual([503, expect.stringContaining('longer ago than the grace')])
    edge.line.down = false
    edge.skew = 0
  })

  it('goes on with each project for its own grace, and afterwards with what is public where it is to stay so', async () => {
    const rules = (project: string, grace: object) => origin.api('PUT', `/api/atoll/v1/projects/${project}/grace`, grace)
    const images: Record<string, PushedImage> = {}
    for (const [project, isPublic, grace] of [
      ['stays', true, { seconds: 1_800, public_afterwards: true }],
      ['ends', true, { seconds: 1_800 }],
      ['long', true, { seconds: 86_400 }],
      ['inner', false, { seconds: 1_800, public_afterwards: true }],
      ['never', true, { seconds: 0 }],
    ] as const) {
      await origin.project(project, { public: isPublic })
      expect((await rules(project, grace)).status).toBe(200)
      images[project] = await origin.push(`${project}/app`, 'v1')
    }
    const member = await origin.robot('member', 'inner')
    await using edge = await TestEdge.start(origin, { name: 'graces', grace: 7_200 })
    const bearer = async () => await tokenOf(await edge.token('repository:inner/app:pull', member))
    const pull = async (project: string, token?: string) => {
      const manifest = await edge.get(`/v2/${project}/app/manifests/v1`, token)
      if (manifest.status !== 200) return [manifest.status, ((await manifest.json()) as { errors: { code: string }[] }).errors[0]?.code]
      const blob = await edge.get(`/v2/${project}/app/blobs/${images[project]?.layer}`, token)
      return [blob.status, sha256(new Uint8Array(await blob.arrayBuffer())) === images[project]?.layer]
    }
    const served = [200, true]
    const refused = [503, 'UNAVAILABLE']
    const all = async () => ({ stays: await pull('stays'), ends: await pull('ends'), long: await pull('long'), never: await pull('never') })
    expect(await all()).toEqual({ stays: served, ends: served, long: served, never: served })
    expect(await pull('inner', await bearer())).toEqual(served)
    edge.line.cut()
    await edge.disconnected()
    expect(await all()).toEqual({ stays: served, ends: served, long: served, never: refused })
    expect(await pull('inner', await bearer())).toEqual(served)
    edge.skew = HOUR
    expect(await all()).toEqual({ stays: served, ends: refused, long: served, never: refused })
    expect((await edge.token('repository:inner/app:pull', member)).status).toBe(503)
    // As well after a restart, and with a clock that somebody set back while it was off.
    await edge.stop()
    edge.skew = HOUR / 2
    await edge.start()
    expect(await all()).toMatchObject({ stays: served, ends: refused, never: refused })
    edge.skew = 3 * HOUR
    expect(await all()).toEqual({ stays: served, ends: refused, long: refused, never: refused })
    // An anonymous token is still given, for what is public.
    const token = await tokenOf(await edge.token('repository:stays/app:pull'))
    expect(await pull('stays', token)).toEqual(served)
    edge.line.down = false
    edge.skew = 0
    await edge.connected()
    expect(await all()).toEqual({ stays: served, ends: served, long: served, never: served })
    expect(await pull('inner', await bearer())).toEqual(served)
  })

  it('tells the origin once, and all of it, what it served while the origin was away', async () => {
    const image = await origin.push('open/counted', 'v1')
    await using edge = await TestEdge.start(origin, { name: 'counted' })
    const pull = async () => expect((await edge.get('/v2/open/counted/manifests/v1')).status).toBe(200)
    const counted = async () =>
      ((await (await origin.api('GET', '/api/v2.0/projects/open/repositories/counted')).json()) as { pull_count: number }).pull_count
    await pull()
    // Cut off in the middle of telling, so that the edge does not know what has arrived.
    edge.line.forge = async (url, response) => {
      if (url.pathname.endsWith('/mesh/pulls')) throw new TypeError('the answer is lost')
      return response
    }
    await until('the origin has counted the first', async () => (await counted()) === 1)
    edge.line.cut()
    await edge.disconnected()
    for (let i = 0; i < 5; i++) await pull()
    await edge.stop()
    await edge.start()
    await pull()
    edge.line.forge = async (_url, response) => response
    edge.line.down = false
    await edge.connected()
    await until('all are counted', async () => (await counted()) >= 7)
    await pull()
    await until('the last is counted', async () => (await counted()) >= 8)
    expect(await counted()).toBe(8)
    const artifact = (await (await origin.api('GET', '/api/v2.0/projects/open/repositories/counted/artifacts/v1')).json()) as Record<string, unknown>
    expect([artifact.digest, Date.parse(String(artifact.pull_time)) > Date.now() - HOUR]).toEqual([image.digest, true])
  })

  it('does not believe a clock that was set back while it was off', async () => {
    await using edge = await TestEdge.start(origin, { name: 'set-back', grace: 7_200 })
    await warm(edge)
    await edge.stop()
    edge.line.down = true
    edge.skew = -365 * 24 * HOUR
    await edge.start()
    expect((await edge.get('/v2/open/app/manifests/v1')).status).toBe(503)
  })

  it('takes no old policy for a new one, though the origin once signed it', async () => {
    await using edge = await TestEdge.start(origin, { name: 'replayed' })
    await origin.project('turned', { public: true })
    await origin.push('turned/app', 'v1')
    let old: string | undefined
    edge.line.forge = async (url, response) => {
      if (!url.pathname.endsWith('/mesh/projects/turned') || response.status !== 200) return response
      old ??= await response.text()
      return new Response(old, { headers: { 'content-type': 'application/jose' } })
    }
    await until('the project is known', async () => (await edge.get('/v2/turned/app/manifests/v1')).status === 200)
    await origin.api('PUT', '/api/v2.0/projects/turned', { metadata: { public: 'false' } })
    await until('the old document is refused', async () => (await edge.get('/v2/turned/app/manifests/v1')).status === 503, 2_000)
    edge.line.forge = async (_url, response) => response
    expect((await edge.get('/v2/turned/app/manifests/v1')).status).toBe(401)
  })

  it('mends a hole in its feed by itself', async () => {
    await using edge = await TestEdge.start(origin, { name: 'holed' })
    const image = await origin.push('open/holed', 'v1')
    await until('the tag is known', async () => (await edge.get('/v2/open/holed/manifests/v1')).headers.get('docker-content-digest') === image.digest)
    // Every line of the stream that tells of a change is lost, until the edge has come again.
    let opened = 0
    edge.line.forge = async (url, response) => {
      if (!url.pathname.endsWith('/mesh/feed') || response.body === null) return response
      opened++
      return response
    }
    edge.line.loseNews = Number.POSITIVE_INFINITY
    edge.line.cut()
    edge.line.down = false
    await edge.connected()
    const moved = await origin.push('open/holed', 'v1')
    await until('the hole was seen and the edge came again', () => opened > 1)
    edge.line.loseNews = 0
    await until(
      'the tag has moved',
      async () => (await edge.get('/v2/open/holed/manifests/v1')).headers.get('docker-content-digest') === moved.digest,
    )
  })

  it('is told when it is revoked, and serves nothing more', async () => {
    await using edge = await TestEdge.start(origin, { name: 'revoked' })
    await warm(edge)
    const edges = (await (await origin.api('GET', '/api/atoll/v1/edges')).json()) as { id: string; name: string }[]
    const { id } = edges.find(({ name }) => name === 'revoked') ?? { id: '' }
    await origin.api('DELETE', `/api/atoll/v1/edges/${id}`)
    await until('it knows', () => edge.status?.state === 'revoked')
    // Of what it held, of what it never saw, and of a login: waiting for the origin would be in vain.
    for (const answer of [
      await edge.get('/v2/open/app/manifests/v1'),
      await edge.get('/v2/unseen/app/manifests/v1'),
      await edge.token('repository:closed/app:pull', { username: 'nobody', password: 'Harbour12345' }),
      await fetch(`${edge.url}/v2/closed/app/blobs/uploads/`, { method: 'POST' }),
    ]) {
      const { headers, status } = answer
      expect([status, headers.get('retry-after'), await answer.text()]).toEqual([
        503,
        null,
        expect.stringContaining('enrol it again with a new token'),
      ])
      expect(headers.get('warning')).toContain('revoked')
    }
    const ready = await edge.get('/readyz')
    expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining('revoked')])
  })
})
