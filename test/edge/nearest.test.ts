import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../support/until.ts'
import { ADMIN, type PushedImage, sha256, TestEdge, TestOrigin, token, tokenOf, whole } from './support.ts'

const FOLLOWS = { 'user-agent': 'containerd/2.1.0' }

describe('an origin that knows which networks are near which edges', () => {
  let origin: TestOrigin
  let edge: TestEdge
  let open: PushedImage
  let closed: PushedImage

  beforeAll(async () => {
    // Every edge of these tests is in the region `here`.
    origin = await TestOrigin.start({ 'nearest.networks': ['127.0.0.0/8=here'], 'nearest.header': 'X-Country', 'nearest.places': ['XX=nowhere'] })
    await origin.project('open', { public: true })
    await origin.project('closed', { public: false })
    open = await origin.push('open/app', 'v1')
    closed = await origin.push('closed/app', 'v1')
    edge = await TestEdge.start(origin)
  })
  afterAll(async () => {
    await edge?.[Symbol.asyncDispose]()
    await origin?.[Symbol.asyncDispose]()
  })

  const ask = async (path: string, headers: Record<string, string> = FOLLOWS, method = 'GET') =>
    await whole(await fetch(origin.url + path, { method, headers, redirect: 'manual' }))
  const bearerFor = async (scope: string) => ({ authorization: `Bearer ${await tokenOf(await token(origin.url, scope, ADMIN))}` })
  const layerAt = (address: string | null) =>
    fetch(address ?? '').then(async (answer) => [answer.status, sha256(new Uint8Array(await answer.arrayBuffer()))])

  it('sends a client that follows to the edge near it, for blobs', async () => {
    const answer = await ask(`/v2/open/app/blobs/${open.layer}`)
    expect(answer.status).toBe(307)
    const location = answer.headers.get('location')
    expect(location).toMatch(`${edge.url}/v2/open/app/blobs/${open.layer}`)
    expect(await layerAt(location)).toEqual([200, open.layer])
    expect((await ask('/v2/open/app/manifests/v1')).status).toBe(200)
    expect((await ask(`/v2/open/app/blobs/${open.layer}`, FOLLOWS, 'HEAD')).status).toBe(200)
  })

  it('serves the others itself', async () => {
    for (const agent of ['curl/8.5.0', 'Mozilla/5.0', '']) {
      const answer = await ask(`/v2/open/app/blobs/${open.layer}`, { 'user-agent': agent })
      expect([answer.status, sha256(new Uint8Array(await answer.arrayBuffer()))]).toEqual([200, open.layer])
    }
  })

  it('gives who may have a private blob a ticket for that one, and for nothing else', async () => {
    const bearer = await bearerFor('repository:closed/app:pull')
    const answer = await ask(`/v2/closed/app/blobs/${closed.layer}`, { ...FOLLOWS, ...bearer })
    const location = answer.headers.get('location') ?? ''
    expect([answer.status, await layerAt(location)]).toEqual([307, [200, closed.layer]])
    const { search, searchParams } = new URL(location)
    const ticket = searchParams.get('ticket') ?? ''
    const manifest = `/v2/closed/app/manifests/${closed.digest}`
    for (const path of [`/v2/closed/app/blobs/${open.layer}${search}`, `/v2/closed/other/blobs/${closed.layer}${search}`, manifest + search]) {
      expect((await edge.get(path)).status, path).toBe(401)
    }
    for (const url of [edge.url, origin.url]) {
      const used = await fetch(url + manifest, { headers: { authorization: `Bearer ${ticket}` } })
      await used.arrayBuffer()
      expect(used.status).toBe(401)
    }
  })

  it('sends nobody to an edge that is drained, which serves on and tells load balancers, until it is taken back', async () => {
    const [{ id } = { id: '' }] = (await (await origin.api('GET', '/api/atoll/v1/edges')).json()) as { id: string }[]
    const path = `/v2/open/app/blobs/${open.layer}`
    const readiness = async () => (await edge.get('/readyz')).status
    await origin.api('PUT', `/api/atoll/v1/edges/${id}/draining`)
    await until('the edge has heard it', async () => (await readiness()) === 503)
    await until('the origin sends nobody there', async () => (await ask(path)).status === 200)
    expect(await (await edge.get('/healthz')).json()).toMatchObject({ connected: true, draining: true })
    expect((await edge.get(path)).status).toBe(200)
    await origin.api('DELETE', `/api/atoll/v1/edges/${id}/draining`)
    await until('the edge has heard that too', async () => (await readiness()) === 200)
    await until('the origin sends clients there again', async () => (await ask(path)).status === 307)
  })

  it('tells no address to who may not have the blob, and none of a blob that is not there', async () => {
    expect((await ask(`/v2/closed/app/blobs/${closed.layer}`)).status).toBe(401)
    expect((await ask(`/v2/open/app/blobs/${closed.layer}`)).status).toBe(404)
  })

  it('believes where a client is only if a trusted proxy says so', async () => {
    expect((await ask(`/v2/open/app/blobs/${open.layer}`, { ...FOLLOWS, 'x-country': 'XX' })).status).toBe(307)
    await using trusting = await TestOrigin.start({
      'http.trusted_proxies': ['127.0.0.1'],
      'nearest.header': 'X-Country',
      'nearest.places': ['DE=here'],
    })
    await trusting.project('open', { public: true })
    const image = await trusting.push('open/app', 'v1')
    await using near = await TestEdge.start(trusting)
    const asked = async (country: string) =>
      (
        await whole(
          await fetch(`${trusting.url}/v2/open/app/blobs/${image.layer}`, { headers: { ...FOLLOWS, 'x-country': country }, redirect: 'manual' }),
        )
      ).status
    expect([near.status?.state, await asked('de'), await asked('FR')]).toEqual(['connected', 307, 200])
  })

  it('sends nobody to an edge that is gone', async () => {
    await edge.stop()
    await until('the edge is known to be gone', async () => (await ask(`/v2/open/app/blobs/${open.layer}`)).status === 200)
  })
})

it('an edge that answers to a global name sends clients on as well, with a ticket that only the other edge takes', async () => {
  await using origin = await TestOrigin.start()
  await origin.project('closed', { public: false })
  const image = await origin.push('closed/app', 'v1')
  await using far = await TestEdge.start(origin, { name: 'far', settings: { 'edge.nearest.networks': ['127.0.0.0/8=near'] } })
  await using near = await TestEdge.start(origin, { name: 'near' })
  const bearer = await tokenOf(await far.token('repository:closed/app:pull', ADMIN))
  const path = `/v2/closed/app/blobs/${image.layer}`
  const ask = () => fetch(far.url + path, { headers: { ...FOLLOWS, authorization: `Bearer ${bearer}` }, redirect: 'manual' }).then(whole)
  const answer = await ask()
  const location = answer.headers.get('location') ?? ''
  expect([answer.status, location.startsWith(near.url + path)]).toEqual([307, true])
  const blob = await whole(await fetch(location))
  expect([blob.status, sha256(new Uint8Array(await blob.arrayBuffer()))]).toEqual([200, image.layer])
  const { search, searchParams } = new URL(location)
  expect((await far.get(path + search)).status).toBe(401)
  expect((await near.get(`/v2/closed/app/manifests/${image.digest}${search}`)).status).toBe(401)
  expect((await near.get(path, searchParams.get('ticket') ?? '')).status).toBe(401)
  await near.stop()
  await until('nobody is sent to an edge that is gone', async () => (await ask()).status === 200)
})
