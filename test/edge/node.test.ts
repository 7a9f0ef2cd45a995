import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../support/until.ts'
import { basic, type Credentials, type PushedImage, sha256, TestEdge, TestOrigin, token, tokenOf, whole } from './support.ts'

describe('an edge in Node', () => {
  let origin: TestOrigin
  let edge: TestEdge
  let open: PushedImage
  let closed: PushedImage
  let robot: Credentials & { readonly id: number }

  beforeAll(async () => {
    origin = await TestOrigin.start()
    await origin.project('open', { public: true })
    await origin.project('closed', { public: false })
    open = await origin.push('open/app', 'v1')
    closed = await origin.push('closed/app', 'v1')
    robot = await origin.robot('puller', 'closed')
    edge = await TestEdge.start(origin)
  })

  afterAll(async () => {
    await edge?.[Symbol.asyncDispose]()
    await origin?.[Symbol.asyncDispose]()
  })

  it('gives a public image to anybody, and moves no byte from the origin the second time', async () => {
    const pull = async () => {
      const manifest = await edge.get('/v2/open/app/manifests/v1')
      expect(manifest.status).toBe(200)
      const bytes = new Uint8Array(await manifest.arrayBuffer())
      expect(sha256(bytes)).toBe(open.digest)
      // The whole image: the edge asks for all of it as soon as somebody takes the manifest.
      const { config } = JSON.parse(new TextDecoder().decode(bytes)) as { config: { digest: string } }
      for (const digest of [config.digest, open.layer]) {
        const blob = await edge.get(`/v2/open/app/blobs/${digest}`)
        expect(blob.status).toBe(200)
        expect(sha256(new Uint8Array(await blob.arrayBuffer()))).toBe(digest)
      }
    }
    await pull()
    const asked = edge.line.asked.length
    const { bytes } = edge.line
    expect(bytes).toBeGreaterThan(open.layerBytes.byteLength)
    await pull()
    expect(edge.line.bytes).toBe(bytes)
    expect(edge.line.asked.slice(asked).filter((path) => path.includes('/v2/'))).toEqual([])
  })

  it('gives a private image to who may pull it, by a token of the origin that it verifies itself', async () => {
    const bearer = await tokenOf(await edge.token('repository:closed/app:pull', robot))
    const blob = await edge.get(`/v2/closed/app/blobs/${closed.layer}`, bearer)
    expect(sha256(new Uint8Array(await blob.arrayBuffer()))).toBe(closed.layer)
    // One that the origin itself gave does as well.
    const direct = await tokenOf(await token(origin.url, 'repository:closed/app:pull', robot))
    expect((await edge.get('/v2/closed/app/manifests/v1', direct)).status).toBe(200)
  })

  it('answers as the origin does where it refuses', async () => {
    const stranger = await tokenOf(await edge.token('repository:closed/app:pull'))
    const strangerAtOrigin = await tokenOf(await token(origin.url, 'repository:closed/app:pull'))
    const narrow = await tokenOf(await token(origin.url, 'repository:closed/other:pull', robot))
    for (const path of [
      '/v2/closed/app/manifests/v1',
      '/v2/missing/app/manifests/v1',
      `/v2/open/app/blobs/${closed.layer}`,
      '/v2/open/app/manifests/none',
      '/v2/',
    ]) {
      for (const [here, there] of [
        [undefined, undefined],
        [stranger, strangerAtOrigin],
        [narrow, narrow],
        ['garbage', 'garbage'],
      ] as const) {
        const atOrigin = await whole(await fetch(origin.url + path, { headers: there === undefined ? {} : { authorization: `Bearer ${there}` } }))
        const atEdge = await edge.get(path, here)
        expect(`${path} ${atEdge.status}`).toBe(`${path} ${atOrigin.status}`)
        const challenge = (response: Response) => response.headers.get('www-authenticate')?.replace(/realm="[^"]*"/, '')
        expect(challenge(atEdge)).toBe(challenge(atOrigin))
        const codes = async (response: Response) => ((await response.json()) as { errors?: { code: string }[] }).errors?.map(({ code }) => code)
        expect(await codes(atEdge)).toEqual(await codes(atOrigin))
      }
    }
  })

  it('tells a stranger nothing of whether a project is private or missing', async () => {
    const hidden = await edge.get('/v2/closed/app/manifests/v1')
    const missing = await edge.get('/v2/nowhere/app/manifests/v1')
    expect([hidden.status, await hidden.text()]).toEqual([missing.status, await missing.text()])
  })

  it('refuses a login with a wrong password', async () => {
    expect((await edge.token('repository:closed/app:pull', { ...robot, password: 'wrong' })).status).toBe(401)
  })

  it('refuses a push as the origin does, where there is no right to it', async () => {
    const begin = async (url: string, bearer: string) =>
      (await whole(await fetch(`${url}/v2/closed/app/blobs/uploads/`, { method: 'POST', headers: { authorization: `Bearer ${bearer}` } }))).status
    const here = await begin(edge.url, await tokenOf(await edge.token('repository:closed/app:pull,push', robot)))
    const there = await begin(origin.url, await tokenOf(await token(origin.url, 'repository:closed/app:pull,push', robot)))
    expect([here, there]).toEqual([403, 403])
  })

  it('takes no token of another edge, and the origin takes none of an edge', async () => {
    await using other = await TestEdge.start(origin, { name: 'edge-b' })
    const foreign = await tokenOf(await other.token('repository:open/app:pull'))
    expect((await other.get('/v2/open/app/manifests/v1', foreign)).status).toBe(200)
    expect((await edge.get('/v2/open/app/manifests/v1', foreign)).status).toBe(401)
    const answer = await whole(await fetch(`${origin.url}/v2/open/app/manifests/v1`, { headers: { authorization: `Bearer ${foreign}` } }))
    expect(answer.status).toBe(401)
  })

  it('refuses a robot that was disabled as soon as the feed says so', async () => {
    const doomed = await origin.robot('doomed', 'closed')
    const bearer = await tokenOf(await edge.token('repository:closed/app:pull', doomed))
    expect((await edge.get('/v2/closed/app/manifests/v1', bearer)).status).toBe(200)
    await origin.api('DELETE', `/api/v2.0/robots/${doomed.id}`)
    await until('the robot is refused', async () => (await edge.get('/v2/closed/app/manifests/v1', bearer)).status === 401, 2_000)
  })

  it('lets a disabled robot not even knock, and ends a token with the secret that it was given for', async () => {
    const doomed = await origin.robot('knocking', 'closed')
    const bearer = await tokenOf(await edge.token('repository:closed/app:pull', doomed))
    expect((await edge.get('/v2/', bearer)).status).toBe(200)
    await origin.api('PATCH', `/api/v2.0/robots/${doomed.id}`, { secret: 'Another5ecret' })
    await until('the old secret’s token is refused', async () => (await edge.get('/v2/', bearer)).status === 401, 2_000)
    expect((await edge.get('/v2/closed/app/manifests/v1', bearer)).status).toBe(401)
    const again = await tokenOf(await edge.token('repository:closed/app:pull', { ...doomed, password: 'Another5ecret' }))
    expect((await edge.get('/v2/', again)).status).toBe(200)
    const found = (await (await origin.api('GET', `/api/v2.0/robots/${doomed.id}`)).json()) as object
    await origin.api('PUT', `/api/v2.0/robots/${doomed.id}`, { ...found, disable: true })
    await until('it may not knock', async () => (await edge.get('/v2/', again)).status === 401, 2_000)
  })

  it('takes a name and a secret with each request, and asks the origin about them once', async () => {
    const get = async (credentials: Credentials) =>
      await whole(await fetch(`${edge.url}/v2/closed/app/manifests/v1`, { headers: { authorization: basic(credentials) } }))
    const asked = edge.line.asked.length
    for (let i = 0; i < 5; i++) expect((await get(robot)).status).toBe(200)
    expect(edge.line.asked.slice(asked).filter((path) => path.endsWith('/mesh/tokens')).length).toBe(1)
    const wrong = await get({ ...robot, password: 'wrong' })
    expect([wrong.status, wrong.headers.get('www-authenticate')]).toEqual([401, expect.stringContaining('error="invalid_token"')])
  })

  it('reads a path as it came: what only decodes to /v2 is not the registry', async () => {
    expect((await edge.get('/%762/open/app/manifests/v1')).status).toBe(404)
    expect((await edge.get('/v2%2f/open/app/manifests/v1')).status).toBe(404)
  })

  it('tells browsers to do nothing with what it serves', async () => {
    for (const path of [`/v2/open/app/blobs/${open.layer}`, '/v2/open/app/manifests/v1', '/service/token', '/nowhere']) {
      const { headers } = await edge.get(path)
      expect([headers.get('x-content-type-options'), headers.get('content-security-policy')]).toEqual(['nosniff', "default-src 'none'; sandbox"])
    }
  })

  it('hides a project that was made private, and shows a new tag, as soon as the feed says so', async () => {
    await origin.project('turning', { public: true })
    await origin.push('turning/app', 'v1')
    expect((await edge.get('/v2/turning/app/manifests/v1')).status).toBe(200)
    const moved = await origin.push('turning/app', 'v1')
    await until(
      'the tag has moved',
      async () => (await edge.get('/v2/turning/app/manifests/v1')).headers.get('docker-content-digest') === moved.digest,
      2_000,
    )
    await origin.api('PUT', '/api/v2.0/projects/turning', { metadata: { public: 'false' } })
    await until('the project is hidden', async () => (await edge.get('/v2/turning/app/manifests/v1')).status === 401, 2_000)
  })

  it('says how it is', async () => {
    expect(await (await edge.get('/healthz')).json()).toMatchObject({ status: 'connected', connected: true, region: 'here', version: '0.1.0' })
    expect((await edge.get('/readyz')).status).toBe(200)
  })
})
