import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../registry/clock.ts'
import type { Registry } from '../../registry/registry.ts'
import { RemoteRegistry } from '../../registry/remote/index.ts'
import { type Digest, parseDigest } from '../../registry/spec/digests.ts'
import { OCI_EMPTY, OCI_MANIFEST } from '../../registry/spec/media-types.ts'
import { parseRepositoryName, parseTag } from '../../registry/spec/names.ts'
import { createHasher } from '../../stores/hasher.ts'
import { type BareRegistry, bareRegistry } from '../support/bare-registry.ts'
import { DISTRIBUTION, type Distribution, startDistribution } from '../support/distribution.ts'

const sha256 = (bytes: Uint8Array): Digest => parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
const streamOf = (bytes: Uint8Array) => new Blob([new Uint8Array(bytes)]).stream()
const bytesOf = async (stream: ReadableStream<Uint8Array> | undefined) => Buffer.from(await new Response(stream).arrayBuffer())
const all = { limit: 100 }

/** What any registry at the other end of the wire must do for us. */
function remoteContract(title: string, start: () => Promise<{ url: URL } & AsyncDisposable>, available: boolean) {
  describe.skipIf(!available)(title, () => {
    let running: { url: URL } & AsyncDisposable
    let registry: Registry
    beforeAll(async () => {
      running = await start()
      registry = new RemoteRegistry({ url: running.url, fetch, clock: systemClock, createHasher }).with()
    })
    afterAll(() => running[Symbol.asyncDispose]())

    const repository = (rest: string) => registry.repository(parseRepositoryName(`team/${rest}`))

    async function push(rest: string, bytes: Uint8Array): Promise<Digest> {
      const { uploads } = repository(rest)
      const begun = await uploads.begin()
      const sent = await uploads.append(begun.id, streamOf(bytes))
      expect(sent.size).toBe(bytes.byteLength)
      const digest = sha256(bytes)
      expect(await uploads.finish(sent.id, digest)).toMatchObject({ digest, size: bytes.byteLength })
      return digest
    }

    it('takes a blob in one stream and gives it back, whole and in part', async () => {
      const bytes = randomBytes(3_000_000)
      const digest = await push('blobs', bytes)
      const { blobs } = repository('blobs')
      expect(await blobs.stat(digest)).toMatchObject({ digest, size: bytes.byteLength })
      expect((await bytesOf((await blobs.open(digest))?.stream)).equals(bytes)).toBe(true)
      const part = await blobs.open(digest, { offset: 1_000, length: 2_000_000 })
      expect(part?.size).toBe(bytes.byteLength)
      expect((await bytesOf(part?.stream)).equals(bytes.subarray(1_000, 2_001_000))).toBe(true)
    })

    it('takes a blob in chunks, says where an upload stands, and refuses one out of order', async () => {
      const bytes = randomBytes(300_001)
      const { uploads, blobs } = repository('chunks')
      const begun = await uploads.begin()
      expect((await uploads.stat(begun.id))?.size).toBe(0)
      const first = await uploads.append(begun.id, streamOf(bytes.subarray(0, 100_000)), { offset: 0, length: 100_000 })
      expect(first.size).toBe(100_000)
      const found = await uploads.stat(first.id)
      expect(found?.size).toBe(100_000)
      await expect(uploads.append(first.id, streamOf(bytes.subarray(5, 10)), { offset: 5, length: 5 })).rejects.toMatchObject({
        code: 'RANGE_INVALID',
      })
      const second = await uploads.append(found?.id ?? '', streamOf(bytes.subarray(100_000)), { offset: 100_000, length: 200_001 })
      expect(second.size).toBe(300_001)
      await uploads.finish(second.id, sha256(bytes))
      expect(await blobs.stat(sha256(bytes))).toMatchObject({ size: 300_001 })
      expect(await uploads.stat(second.id)).toBeUndefined()
    })

    it('refuses a blob that does not hash to what was said, and knows nothing of it afterwards', async () => {
      const { uploads, blobs } = repository('wrong')
      const begun = await uploads.begin()
      const sent = await uploads.append(begun.id, streamOf(Buffer.from('right')))
      const wrong = sha256(Buffer.from('wrong'))
      await expect(uploads.finish(sent.id, wrong)).rejects.toMatchObject({ code: 'DIGEST_INVALID' })
      expect(await blobs.stat(wrong)).toBeUndefined()
    })

    it('cancels an upload', async () => {
      const { uploads } = repository('cancelled')
      const begun = await uploads.begin()
      expect(await uploads.cancel(begun.id)).toBe(true)
      expect(await uploads.stat(begun.id)).toBeUndefined()
      expect(await uploads.cancel(begun.id)).toBe(false)
    })

    it('mounts what it has elsewhere, and says so when it has not', async () => {
      const digest = await push('mount-source', randomBytes(1000))
      const target = repository('mount-target')
      expect(await target.uploads.mount(digest, parseRepositoryName('team/mount-source'))).toMatchObject({ digest, size: 1000 })
      expect(await target.blobs.stat(digest)).toMatchObject({ size: 1000 })
      expect(await target.uploads.mount(sha256(Buffer.from('nowhere')), parseRepositoryName('team/mount-source'))).toBeUndefined()
    })

    it('takes a manifest, finds it by tag and digest, lists the tag, and deletes it', async () => {
      const config = await push('manifests', Buffer.from('{}'))
      const bytes = Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: OCI_MANIFEST,
          artifactType: 'application/vnd.test',
          config: { mediaType: OCI_EMPTY, digest: config, size: 2 },
          layers: [{ mediaType: OCI_EMPTY, digest: config, size: 2 }],
        }),
      )
      const { manifests, tags } = repository('manifests')
      const tag = parseTag('v1')
      const { descriptor } = await manifests.put({ bytes, mediaType: OCI_MANIFEST, tags: [tag, parseTag('v2')] })
      expect(descriptor).toEqual({ mediaType: OCI_MANIFEST, digest: sha256(bytes), size: bytes.byteLength })
      for (const reference of [{ tag }, { digest: descriptor.digest }]) {
        expect((await manifests.stat(reference))?.descriptor).toEqual(descriptor)
        expect(Buffer.from((await manifests.get(reference))?.bytes ?? []).equals(bytes)).toBe(true)
      }
      expect(await tags.list(all)).toEqual({ items: ['v1', 'v2'], more: false })
      expect(await tags.list({ limit: 1 })).toEqual({ items: ['v1'], more: true })
      expect((await tags.list({ limit: 1, last: 'v1' }))?.items).toEqual(['v2'])
      expect(await manifests.delete(descriptor.digest)).toBe(true)
      expect(await manifests.stat({ tag })).toBeUndefined()
      expect(await manifests.delete(descriptor.digest)).toBe(false)
    })

    it('says what is wrong with a manifest', async () => {
      const bytes = Buffer.from('{"schemaVersion":2')
      await expect(repository('bad').manifests.put({ bytes, mediaType: OCI_MANIFEST, tags: [parseTag('v1')] })).rejects.toMatchObject({
        code: 'MANIFEST_INVALID',
      })
    })

    it('lists its repositories', async () => {
      await push('listed', Buffer.from('x'))
      expect((await registry.repositories(all)).items).toContain('team/manifests')
    })

    it('knows nothing where nothing is', async () => {
      const nothing = repository('nothing')
      expect(await nothing.tags.list(all)).toBeUndefined()
      expect(await nothing.manifests.get({ tag: parseTag('v1') })).toBeUndefined()
      expect(await nothing.referrers.list(sha256(Buffer.from('x')), { page: all })).toEqual({ items: [], more: false })
    })
  })
}

remoteContract('through the remote registry, distribution', (): Promise<Distribution> => startDistribution(), DISTRIBUTION !== undefined)

remoteContract(
  'through the remote registry, Atoll',
  async () => {
    const bare: BareRegistry = await bareRegistry({ projects: ['team'] })
    return { url: new URL(bare.server.url), [Symbol.asyncDispose]: () => bare[Symbol.asyncDispose]() }
  },
  true,
)
