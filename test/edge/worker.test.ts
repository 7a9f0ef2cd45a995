import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { headOfChanges } from '../../schema/changes.ts'
import { until } from '../support/until.ts'
import { type Credentials, type PushedImage, sha256, TestOrigin, token, tokenOf, whole } from './support.ts'
import { bundleWorker, TestWorker } from './worker-support.ts'

describe('an edge in a Worker', () => {
  let origin: TestOrigin
  let edge: TestWorker
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
    edge = await TestWorker.start(origin, await bundleWorker())
  })

  afterAll(async () => {
    await edge?.[Symbol.asyncDispose]()
    await origin?.[Symbol.asyncDispose]()
  })

  it('gives a public image to anybody, and moves no byte from the origin the second time', async () => {
    const pull = async () => {
      const manifest = await edge.get('/v2/open/app/manifests/v1')
      expect(manifest.status).toBe(200)
      expect(sha256(new Uint8Array(await manifest.arrayBuffer()))).toBe(open.digest)
      const blob = await edge.get(`/v2/open/app/blobs/${open.layer}`)
      expect(sha256(new Uint8Array(await blob.arrayBuffer()))).toBe(open.layer)
    }
    await pull()
    const { bytes } = edge.line
    expect(bytes).toBeGreaterThan(open.layerBytes.byteLength)
    await pull()
    expect(edge.line.bytes).toBe(bytes)
  })

  it('gives a private image to who may pull it, by a token of the origin that it verifies itself', async () => {
    const bearer = await tokenOf(await edge.token('repository:closed/app:pull', robot))
    const blob = await edge.get(`/v2/closed/app/blobs/${closed.layer}`, bearer)
    expect(sha256(new Uint8Array(await blob.arrayBuffer()))).toBe(closed.layer)
    const range = await edge.get(`/v2/closed/app/blobs/${closed.layer}`, bearer, { range: 'bytes=1000-1999' })
    expect([range.status, Buffer.from(await range.arrayBuffer())]).toEqual([206, Buffer.from(closed.layerBytes.subarray(1000, 2000))])
  })

  it('answers as the origin does where it refuses', async () => {
    const stranger = await tokenOf(await edge.token('repository:closed/app:pull'))
    const strangerAtOrigin = await tokenOf(await token(origin.url, 'repository:closed/app:pull'))
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
        ['garbage', 'garbage'],
      ] as const) {
        const atOrigin = await whole(await fetch(origin.url + path, { headers: there === undefined ? {} : { authorization: `Bearer ${there}` } }))
        const atEdge = await edge.get(path, here)
        expect(`${path} ${atEdge.status}`).toBe(`${path} ${atOrigin.status}`)
        const codes = async (response: Response) => ((await response.json()) as { errors?: { code: string }[] }).errors?.map(({ code }) => code)
        expect(await codes(atEdge)).toEqual(await codes(atOrigin))
      }
    }
  })

  it('asks the origin once for a cold blob that 32 clients want', async () => {
    const image = await origin.push('open/many', 'v1', randomBytes(3_000_000))
    const clients = Array.from({ length: 32 }, async () => {
      const blob = await edge.get(`/v2/open/many/blobs/${image.layer}`)
      return sha256(new Uint8Array(await blob.arrayBuffer()))
    })
    expect(new Set(await Promise.all(clients))).toEqual(new Set([image.layer]))
    expect(edge.line.asked.filter((asked) => asked === `GET /v2/open/many/blobs/${image.layer}`)).toHaveLength(1)
  })

  it('ends no answer well when the source lies, and keeps nothing of it', async () => {
    const image = await origin.push('open/lied', 'v1', randomBytes(500_000))
    edge.line.forge = async (url, response) => {
      if (!url.pathname.endsWith(image.layer) || response.body === null) return response
      const bytes = new Uint8Array(await response.arrayBuffer())
      bytes[100] = (bytes[100] ?? 0) ^ 1
      return new Response(bytes, response)
    }
    try {
      const pulled = edge.get(`/v2/open/lied/blobs/${image.layer}`).then(({ status }) => {
        if (status !== 200) throw new Error(`answered ${status}`)
      })
      await expect(pulled).rejects.toThrow()
      expect(await edge.stored(`blobs/sha256/${image.layer.slice(7)}`)).toEqual([])
    } finally {
      edge.line.forge = async (_url, response) => response
    }
  })

  it('refuses a robot that was deleted as soon as the feed says so', async () => {
    const doomed = await origin.robot('doomed', 'closed')
    const bearer = await tokenOf(await edge.token('repository:closed/app:pull', doomed))
    expect((await edge.get('/v2/closed/app/manifests/v1', bearer)).status).toBe(200)
    await origin.api('DELETE', `/api/v2.0/robots/${doomed.id}`)
    await until('the robot is refused', async () => (await edge.get('/v2/closed/app/manifests/v1', bearer)).status === 401, 2_500)
  })

  it('shows that a tag has moved as soon as the feed says so', async () => {
    const moved = await origin.push('open/app', 'v1')
    await until(
      'the tag has moved',
      async () => (await edge.get('/v2/open/app/manifests/v1')).headers.get('docker-content-digest') === moved.digest,
      2_500,
    )
  })

  it('goes on without its origin: what it holds, to those it knows, and says so', async () => {
    const bearer = await tokenOf(await edge.token('repository:closed/app:pull', robot))
    expect((await edge.get('/v2/closed/app/manifests/v1', bearer)).status).toBe(200)
    // Two projects whose own grace is none.
    for (const [project, stays] of [
      ['ends', false],
      ['stays', true],
    ] as const) {
      await origin.project(project, { public: true })
      await origin.api('PUT', `/api/atoll/v1/projects/${project}/grace`, { seconds: 0, public_afterwards: stays })
      await origin.push(`${project}/app`, 'v1')
    }
    // Everything there remembers the documents as they are now: what it heard of them is heard before it is asked.
    const cursor = await headOfChanges(origin.running.open.services.db)
    await until('the worker has heard of it', async () => (await edge.health()).cursor >= cursor)
    for (const project of ['ends', 'stays']) expect((await edge.get(`/v2/${project}/app/manifests/v1`)).status).toBe(200)
    edge.line.cut()
    await edge.disconnected()
    const ended = await edge.get('/v2/ends/app/manifests/v1')
    expect([ended.status, await ended.text()]).toEqual([503, expect.stringContaining('longer than its grace')])
    expect((await edge.get('/v2/stays/app/manifests/v1')).status).toBe(200)
    const manifest = await edge.get('/v2/closed/app/manifests/v1', bearer)
    expect([manifest.status, manifest.headers.get('warning')]).toEqual([200, expect.stringContaining('has not heard from its origin')])
    const blob = await edge.get(`/v2/closed/app/blobs/${closed.layer}`, bearer)
    expect(sha256(new Uint8Array(await blob.arrayBuffer()))).toBe(closed.layer)
    const again = await tokenOf(await edge.token('repository:closed/app:pull', robot))
    expect((await edge.get('/v2/closed/app/manifests/v1', again)).status).toBe(200)
    expect((await edge.token('repository:closed/app:pull', { ...robot, password: 'another' })).status).toBe(503)
    edge.line.down = false
    await edge.connected()
    for (const project of ['ends', 'stays']) expect((await edge.get(`/v2/${project}/app/manifests/v1`)).status).toBe(200)
  })
})
