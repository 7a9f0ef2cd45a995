import { randomBytes } from 'node:crypto'
import { eq } from 'drizzle-orm'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Digest } from '../../registry/spec/digests.ts'
import { headOfChanges } from '../../schema/changes.ts'
import { repositoryBlobs } from '../../schema/tables/blobs.ts'
import { until } from '../support/until.ts'
import { ADMIN, OCI_MANIFEST, sha256, TestEdge, TestOrigin, tokenOf, whole } from './support.ts'

const CONFIG = 'application/vnd.oci.image.config.v1+json'
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip'

interface Image {
  readonly manifest: Uint8Array<ArrayBuffer>
  readonly digest: string
  readonly blobs: readonly Uint8Array<ArrayBuffer>[]
}

describe('a push to an edge', () => {
  let origin: TestOrigin
  let edge: TestEdge
  let bearer: string

  beforeAll(async () => {
    origin = await TestOrigin.start()
    await origin.project('team', { public: false })
    edge = await TestEdge.start(origin)
    bearer = await tokenFor('team/app')
  })
  afterEach(async () => {
    edge.line.down = false
    edge.line.release()
    await edge.connected()
  })
  afterAll(async () => {
    await edge?.[Symbol.asyncDispose]()
    await origin?.[Symbol.asyncDispose]()
  })

  const tokenFor = async (name: string, credentials = ADMIN) => await tokenOf(await edge.token(`repository:${name}:pull,push,delete`, credentials))

  const send = async (
    method: string,
    path: string,
    body?: BodyInit | Uint8Array<ArrayBuffer>,
    headers: Record<string, string> = {},
    token = bearer,
  ) => {
    const duplex = body instanceof ReadableStream ? { duplex: 'half' } : {}
    return await whole(
      await fetch(new URL(path, edge.url), {
        method,
        headers: { authorization: `Bearer ${token}`, ...headers },
        ...(body !== undefined && { body }),
        ...duplex,
      }),
    )
  }

  const begin = async (name = 'team/app') => (await send('POST', `/v2/${name}/blobs/uploads/`)).headers.get('location') ?? ''

  const pushBlob = async (bytes: Uint8Array<ArrayBuffer>, chunk = bytes.length) => {
    let location = await begin()
    for (let at = 0; at < bytes.length; at += chunk) {
      const part = bytes.slice(at, at + chunk)
      const answer = await send('PATCH', location, part, { 'content-range': `${at}-${at + part.length - 1}` })
      expect(answer.status).toBe(202)
      location = answer.headers.get('location') ?? ''
    }
    const done = await send('PUT', `${location}?digest=${sha256(bytes)}`)
    expect([done.status, done.headers.get('docker-content-digest')]).toEqual([201, sha256(bytes)])
  }

  const image = (): Image => {
    const layer = new Uint8Array(randomBytes(3_000_000))
    const config = new TextEncoder().encode(JSON.stringify({ os: 'linux', architecture: 'amd64', made: sha256(layer) }))
    const manifest = new TextEncoder().encode(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: OCI_MANIFEST,
        config: { mediaType: CONFIG, digest: sha256(config), size: config.length },
        layers: [{ mediaType: LAYER, digest: sha256(layer), size: layer.length }],
      }),
    )
    return { manifest, digest: sha256(manifest), blobs: [config, layer] }
  }

  const push = async ({ manifest, digest, blobs }: Image, tag: string, chunk?: number) => {
    for (const blob of blobs) await pushBlob(blob, chunk)
    const done = await send('PUT', `/v2/team/app/manifests/${tag}`, manifest, { 'content-type': OCI_MANIFEST })
    expect([done.status, done.headers.get('docker-content-digest')]).toEqual([201, digest])
  }

  const pull = async ({ digest, blobs }: Image, tag: string) => {
    const manifest = await edge.get(`/v2/team/app/manifests/${tag}`, bearer)
    expect([manifest.status, manifest.headers.get('docker-content-digest')]).toEqual([200, digest])
    for (const blob of blobs) {
      const answer = await edge.get(`/v2/team/app/blobs/${sha256(blob)}`, bearer)
      expect(sha256(new Uint8Array(await answer.arrayBuffer()))).toBe(sha256(blob))
    }
  }

  const askedDuring = async (work: () => Promise<void>) => {
    const before = edge.line.asked.length
    await work()
    return edge.line.asked.slice(before).filter((path) => path.includes(' /v2/'))
  }

  it.each([
    ['whole', undefined],
    ['in chunks', 700_000],
  ])('of an image %s leaves it at the origin and the edge warm: the next pull asks the origin nothing', async (_how, chunk) => {
    const made = image()
    await push(made, 'warm', chunk)
    const atOrigin = await origin.api('GET', `/v2/team/app/manifests/warm`)
    expect(atOrigin.headers.get('docker-content-digest')).toBe(made.digest)
    expect(await askedDuring(() => pull(made, 'warm'))).toEqual([])
    // News of the very same push changes nothing.
    await edge.caughtUp(await headOfChanges(origin.running.open.services.db))
    expect(await askedDuring(() => pull(made, 'warm'))).toEqual([])
  })

  it('that moves a tag is seen at once', async () => {
    const [first, second] = [image(), image()]
    await push(first, 'moves')
    await pull(first, 'moves')
    await push(second, 'moves')
    await pull(second, 'moves')
  })

  it('of a blob in one request is kept too, and a wrong digest is neither there nor here', async () => {
    const bytes = new Uint8Array(randomBytes(200_000))
    const right = await send('POST', `/v2/team/app/blobs/uploads/?digest=${sha256(bytes)}`, bytes)
    expect(right.status).toBe(201)
    const warm = async () => expect((await edge.get(`/v2/team/app/blobs/${sha256(bytes)}`, bearer)).status).toBe(200)
    expect(await askedDuring(warm)).toEqual([])
    const other = sha256(new Uint8Array(randomBytes(10)))
    const wrong = await send('POST', `/v2/team/app/blobs/uploads/?digest=${other}`, bytes)
    expect([wrong.status, ((await wrong.json()) as { errors: { code: string }[] }).errors[0]?.code]).toEqual([400, 'DIGEST_INVALID'])
    expect((await edge.get(`/v2/team/app/blobs/${other}`, bearer)).status).toBe(404)
  })

  it('that began here may go on at the origin: it is not kept, and it is right', async () => {
    const bytes = new Uint8Array(randomBytes(300_000))
    const location = await begin()
    expect((await send('PATCH', location, bytes.slice(0, 100_000))).status).toBe(202)
    const there = await fetch(new URL(location, origin.url), {
      method: 'PATCH',
      headers: { authorization: `Bearer ${bearer}` },
      body: bytes.slice(100_000, 200_000),
    })
    expect((await whole(there)).status).toBe(202)
    expect((await send('PUT', `${location}?digest=${sha256(bytes)}`, bytes.slice(200_000))).status).toBe(201)
    const pulled = await edge.get(`/v2/team/app/blobs/${sha256(bytes)}`, bearer)
    expect(sha256(new Uint8Array(await pulled.arrayBuffer()))).toBe(sha256(bytes))
  })

  it('is the client’s own: who may only read is refused, at the edge and without a byte sent on', async () => {
    const robot = await origin.robot('reader', 'team')
    const reader = await tokenFor('team/app', robot)
    const asked = await askedDuring(async () => {
      expect((await send('POST', '/v2/team/app/blobs/uploads/', undefined, {}, reader)).status).toBe(403)
    })
    expect(asked).toEqual([])
    const anonymous = await whole(await fetch(`${edge.url}/v2/team/app/blobs/uploads/`, { method: 'POST' }))
    expect(anonymous.status).toBe(401)
    expect(anonymous.headers.get('www-authenticate')).toContain(`realm="${edge.url}/service/token"`)
  })

  it('is refused at once with a sentence while the origin is away, and works again afterwards', async () => {
    edge.line.cut()
    await edge.disconnected()
    const refused = await send('POST', '/v2/team/app/blobs/uploads/')
    expect(refused.status).toBe(503)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(await refused.text()).toContain('The origin of this edge cannot be reached')
    const fromHere = await tokenFor('team/app')
    edge.line.down = false
    await edge.connected()
    // The edge gave this token since the origin did not answer: whoever has it is not to be told that he may not push.
    expect((await send('POST', '/v2/team/app/blobs/uploads/', undefined, {}, fromHere)).status).toBe(503)
    await push(image(), 'back')
  })

  it('that loses the origin in the middle of a body is refused, and nothing of it can be pulled', async () => {
    const bytes = new Uint8Array(randomBytes(500_000))
    const location = await begin()
    let half: (() => void) | undefined
    const reached = new Promise<void>((resolve) => {
      half = resolve
    })
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      async pull(controller) {
        controller.enqueue(bytes.slice(0, 250_000))
        half?.()
        await new Promise<void>((resolve) => {
          edge.line.onCut = resolve
        })
        controller.enqueue(bytes.slice(250_000))
        controller.close()
      },
    })
    const answer = send('PUT', `${location}?digest=${sha256(bytes)}`, body)
    await reached
    await until('the push has reached the origin', () => edge.line.asked.some((path) => path.startsWith('PUT /v2/team/app/blobs/uploads/')))
    edge.line.cut()
    const refused = await answer
    expect([refused.status, await refused.text()]).toEqual([503, expect.stringContaining('The origin of this edge cannot be reached')])
    edge.line.down = false
    await edge.connected()
    expect((await edge.get(`/v2/team/app/blobs/${sha256(bytes)}`, bearer)).status).toBe(404)
  })

  it('that is caught by a hanging origin is refused in a moment, not waited for: also one whose whole body is sent', {
    timeout: 20_000,
  }, async () => {
    const bytes = new Uint8Array(randomBytes(500_000))
    const [whole, half] = [await begin(), await begin()]
    const neverEnds = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => controller.enqueue(bytes.slice(0, 250_000)),
    })
    const before = edge.line.asked.length
    edge.line.hang()
    const pushes = [send('PUT', `${whole}?digest=${sha256(bytes)}`, bytes), send('PATCH', half, neverEnds)]
    await until('both are on their way', () => edge.line.asked.slice(before).filter((path) => path.includes('/blobs/uploads/')).length === 2)
    for (const refused of await Promise.all(pushes)) {
      expect([refused.status, await refused.text()]).toEqual([503, expect.stringContaining('The origin of this edge cannot be reached')])
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    }
  })

  it('deletes at the origin, and here at once', async () => {
    const made = image()
    await push(made, 'gone')
    await pull(made, 'gone')
    expect((await send('DELETE', `/v2/team/app/manifests/${made.digest}`)).status).toBe(202)
    expect((await edge.get('/v2/team/app/manifests/gone', bearer)).status).toBe(404)
    expect((await edge.get(`/v2/team/app/manifests/${made.digest}`, bearer)).status).toBe(404)
  })

  it('asks the origin whether a blob is there for who may push, so that it is kept for him, and for nobody else', async () => {
    const layer = new Uint8Array(randomBytes(1_000))
    await pushBlob(layer)
    const { db } = origin.running.services
    const needed = async () =>
      (
        await db.read.sql
          .select({ at: repositoryBlobs.neededAt })
          .from(repositoryBlobs)
          .where(eq(repositoryBlobs.digest, sha256(layer) as Digest))
          .get()
      )?.at
    await db.write(({ sql }) =>
      sql
        .update(repositoryBlobs)
        .set({ neededAt: 0 })
        .where(eq(repositoryBlobs.digest, sha256(layer) as Digest)),
    )
    const pull = await tokenOf(await edge.token('repository:team/app:pull', ADMIN))
    expect((await send('HEAD', `/v2/team/app/blobs/${sha256(layer)}`, undefined, {}, pull)).status).toBe(200)
    expect(await needed()).toBe(0)
    const answered = await send('HEAD', `/v2/team/app/blobs/${sha256(layer)}`)
    expect([answered.status, answered.headers.get('content-length')]).toEqual([200, '1000'])
    expect(await needed()).toBeGreaterThan(0)
    edge.line.cut()
    await edge.disconnected()
    expect((await send('HEAD', `/v2/team/app/blobs/${sha256(layer)}`)).status).toBe(200)
  })
})
