import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../support/until.ts'
import { type S3Server, s3Program, startS3 } from '../support/versitygw.ts'
import { ADMIN, OCI_MANIFEST, type PushedImage, sha256, TestEdge, TestOrigin, tokenOf } from './support.ts'

const program = s3Program()
const CLIENTS = 8

describe.skipIf(program === undefined)('an edge whose bucket hangs', () => {
  let bucket: S3Server
  let origin: TestOrigin
  let edge: TestEdge
  let warm: PushedImage
  let cold: PushedImage
  let closed: PushedImage

  beforeAll(async () => {
    bucket = await startS3(program ?? '')
    origin = await TestOrigin.start()
    await origin.project('open', { public: true })
    await origin.project('closed', { public: false })
    warm = await origin.push('open/warm', 'v1')
    cold = await origin.push('open/cold', 'v1')
    closed = await origin.push('closed/app', 'v1')
    edge = await TestEdge.start(origin, {
      settings: {
        'edge.storage.kind': 's3',
        'edge.storage.s3.endpoint': bucket.endpoint,
        'edge.storage.s3.bucket': bucket.bucket,
        'edge.storage.s3.region': bucket.region,
        'edge.storage.s3.access_key': bucket.accessKeyId,
        'edge.storage.s3.secret_key': bucket.secretAccessKey,
      },
    })
    expect(await pull('open/warm', warm)).toEqual([warm.digest, warm.layer])
  }, 60_000)
  afterAll(async () => {
    bucket?.thaw()
    await edge?.[Symbol.asyncDispose]()
    await origin?.[Symbol.asyncDispose]()
    await bucket?.close()
  })

  /** The digests of what comes: of the manifest by its tag, and of the layer. */
  const pull = async (repository: string, image: PushedImage, bearer?: string) => {
    const get = async (path: string) => {
      const answer = await edge.get(`/v2/${repository}/${path}`, bearer, { accept: OCI_MANIFEST })
      const bytes = new Uint8Array(await answer.arrayBuffer())
      return answer.ok ? sha256(bytes) : `${answer.status} ${Buffer.from(bytes)}`
    }
    return [await get('manifests/v1'), await get(`blobs/${image.layer}`)]
  }

  it('hands out what it had and what it never had, as it comes from its source', async () => {
    bucket.freeze()
    await until('the edge has noticed', async () => (await edge.get('/readyz')).status === 503)
    expect(await pull('open/warm', warm)).toEqual([warm.digest, warm.layer])
    const all = await Promise.all(Array.from({ length: CLIENTS }, () => pull('open/cold', cold)))
    expect(all).toEqual(Array.from({ length: CLIENTS }, () => [cold.digest, cold.layer]))
    expect((await pull('closed/app', closed))[0]).toMatch(/^401 /)
    const bearer = await tokenOf(await edge.token('repository:closed/app:pull', ADMIN))
    expect(await pull('closed/app', closed, bearer)).toEqual([closed.digest, closed.layer])
  }, 60_000)

  it('hears that a tag has moved, then and when the bucket is back', async () => {
    const moved = await origin.push('open/warm', 'v1')
    const gone = await origin.push('open/cold', 'v1')
    await until('the tags are the new ones', async () => (await pull('open/warm', moved))[0] === moved.digest)
    expect(await pull('open/cold', gone)).toEqual([gone.digest, gone.layer])
    await edge.stop()
    await edge.start()
    await edge.connected()
    expect(await pull('open/warm', moved)).toEqual([moved.digest, moved.layer])
    bucket.thaw()
    await until('nobody is kept away', async () => (await edge.get('/readyz')).status === 200)
    expect(await pull('open/warm', moved)).toEqual([moved.digest, moved.layer])
    expect(await pull('open/cold', gone)).toEqual([gone.digest, gone.layer])
    await until('the feed goes on', () => edge.status?.state === 'connected')
    expect(await pull('open/warm', moved)).toEqual([moved.digest, moved.layer])
  }, 90_000)
})
