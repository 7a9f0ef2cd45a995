import { createHash, randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Database } from '../schema/database.ts'
import { fsBlobStore } from '../stores/fs-blob-store.ts'
import { createHasher } from '../stores/hasher.ts'
import { addProjects, bareMetadata } from '../test/support/bare-registry.ts'
import { TestClock } from '../test/support/clock.ts'
import type { BlobStore } from './blob-store.ts'
import { type Clock, systemClock } from './clock.ts'
import { STATUS_WAIT_MS } from './local/uploads.ts'
import { LocalRegistry } from './local.ts'
import type { MetadataStore } from './metadata-store.ts'
import type { Repository } from './registry.ts'
import { type Digest, parseDigest } from './spec/digests.ts'
import { OCI_MANIFEST } from './spec/media-types.ts'
import { parseRepositoryName, parseTag } from './spec/names.ts'

const digestOf = (bytes: Uint8Array, algorithm: 'sha256' | 'sha512' = 'sha256'): Digest =>
  parseDigest(`${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`)
const bytesOf = (text: string) => new TextEncoder().encode(text)
const streamOf = (...chunks: readonly Uint8Array[]) =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk)
      controller.close()
    },
  })

/** A stream in the hands of the test. */
function handStream() {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  const asked = Promise.withResolvers<void>()
  const stream = new ReadableStream<Uint8Array>(
    {
      start(own) {
        controller = own
      },
      pull: () => asked.resolve(),
    },
    { highWaterMark: 0 },
  )
  return {
    stream,
    /** Somebody reads. */
    asked: asked.promise,
    give: (bytes: Uint8Array) => controller?.enqueue(bytes),
    end: () => controller?.close(),
    break: () => controller?.error(new Error('the client is gone')),
  }
}

describe('LocalRegistry', () => {
  let directory: string
  let database: Database
  let metadata: MetadataStore
  let blobs: BlobStore
  const open = (parts: Partial<{ metadata: MetadataStore; blobs: BlobStore; clock: Clock }> = {}, name = `p/${randomUUID()}`): Repository =>
    new LocalRegistry({ blobs, metadata, clock: systemClock, createHasher, newId: randomUUID, ...parts })
      .as('system')
      .repository(parseRepositoryName(name))

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'atoll-local-'))
    ;({ database, metadata } = await bareMetadata(directory))
    await addProjects(database, ['p', 'q'])
    blobs = fsBlobStore(join(directory, 'store'))
  })
  afterAll(async () => {
    await database.close()
    await rm(directory, { recursive: true, force: true })
  })

  const push = async (repository: Repository, bytes: Uint8Array, digest = digestOf(bytes)) => {
    const { id } = await repository.uploads.begin()
    await repository.uploads.append(id, streamOf(bytes))
    return repository.uploads.finish(id, digest)
  }
  const read = async (repository: Repository, digest: Digest) => {
    const body = await repository.blobs.open(digest)
    if (!body?.stream) return undefined
    return new Uint8Array(await new Response(body.stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer())
  }

  it('gives back what was uploaded in chunks, under sha256 and under sha512', async () => {
    const repository = open()
    for (const algorithm of ['sha256', 'sha512'] as const) {
      for (const begunWith of ['sha256', 'sha512'] as const) {
        const digest = digestOf(bytesOf('onetwo'), algorithm)
        const { id } = await repository.uploads.begin({ algorithm: begunWith })
        expect(await repository.uploads.append(id, streamOf(bytesOf('one')), { offset: 0, length: 3 })).toEqual({ id, size: 3 })
        expect(await repository.uploads.append(id, streamOf(bytesOf('t'), bytesOf('wo')), { offset: 3, length: 3 })).toEqual({ id, size: 6 })
        expect(await repository.uploads.finish(id, digest)).toMatchObject({ digest, size: 6 })
        expect(await read(repository, digest)).toEqual(bytesOf('onetwo'))
        expect(await repository.uploads.stat(id)).toBeUndefined()
      }
    }
  })

  it('takes an upload up again after a restart', async () => {
    const before = open()
    const { id } = await before.uploads.begin()
    await before.uploads.append(id, streamOf(bytesOf('before ')))
    const after = open({ blobs: fsBlobStore(join(directory, 'store')) }, before.name)
    expect(await after.uploads.stat(id)).toEqual({ id, size: 7 })
    await after.uploads.append(id, streamOf(bytesOf('after')))
    const digest = digestOf(bytesOf('before after'))
    await after.uploads.finish(id, digest)
    expect(await read(after, digest)).toEqual(bytesOf('before after'))
  })

  it('refuses a second writer of an upload and mixes nothing', async () => {
    const repository = open()
    const { id } = await repository.uploads.begin()
    const slow = handStream()
    const first = repository.uploads.append(id, slow.stream)
    await slow.asked
    for (const second of [
      repository.uploads.append(id, streamOf(bytesOf('intruder'))),
      repository.uploads.finish(id, digestOf(bytesOf(''))),
      repository.uploads.cancel(id),
    ]) {
      await expect(second).rejects.toMatchObject({ code: 'BLOB_UPLOAD_INVALID', status: 409 })
    }
    slow.give(bytesOf('alone'))
    slow.end()
    expect(await first).toEqual({ id, size: 5 })
    await repository.uploads.finish(id, digestOf(bytesOf('alone')))
  })

  it('tells how far an upload is once the request that writes to it has ended, and does not wait for it forever', async () => {
    const clock = new TestClock()
    const repository = open({ clock })
    const { id } = await repository.uploads.begin()
    const slow = handStream()
    const first = repository.uploads.append(id, slow.stream)
    await slow.asked
    const impatient = repository.uploads.stat(id)
    await clock.waitedFor(STATUS_WAIT_MS)
    clock.advance(STATUS_WAIT_MS)
    expect(await impatient).toEqual({ id, size: 0 })

    const patient = repository.uploads.stat(id)
    await clock.waitedFor(STATUS_WAIT_MS)
    slow.give(bytesOf('half'))
    slow.end()
    await first
    expect(await patient).toEqual({ id, size: 4 })
    expect(clock.pending).toBe(0)
  })

  it('keeps what arrived before a body broke off', async () => {
    const repository = open()
    const { id } = await repository.uploads.begin()
    const broken = handStream()
    const appended = repository.uploads.append(id, broken.stream)
    await broken.asked
    broken.give(bytesOf('half'))
    await Promise.resolve()
    broken.break()
    await expect(appended).rejects.toMatchObject({ code: 'BLOB_UPLOAD_INVALID' })
    const size = (await repository.uploads.stat(id))?.size ?? -1
    expect([0, 4]).toContain(size)
    await repository.uploads.append(id, streamOf(bytesOf('half and the rest').subarray(size)), { offset: size, length: 17 - size })
    await repository.uploads.finish(id, digestOf(bytesOf('half and the rest')))
  })

  it('refuses chunks out of order and of another length than they say, and goes on from what it has', async () => {
    const repository = open()
    const { id } = await repository.uploads.begin()
    await expect(repository.uploads.append(id, streamOf(bytesOf('late')), { offset: 4, length: 4 })).rejects.toMatchObject({
      code: 'RANGE_INVALID',
      status: 416,
    })
    await expect(repository.uploads.append(id, streamOf(bytesOf('ab')), { offset: 0, length: 3 })).rejects.toMatchObject({ code: 'SIZE_INVALID' })
    await expect(repository.uploads.append(id, streamOf(bytesOf('cdef')), { offset: 2, length: 2 })).rejects.toMatchObject({ code: 'SIZE_INVALID' })
    expect(await repository.uploads.stat(id)).toEqual({ id, size: 4 })
    await repository.uploads.finish(id, digestOf(bytesOf('abcd')))
  })

  it('never shows bytes under a digest that they do not have', async () => {
    const repository = open()
    const { id } = await repository.uploads.begin()
    await repository.uploads.append(id, streamOf(bytesOf('right')))
    const wrong = digestOf(bytesOf('wrong'))
    await expect(repository.uploads.finish(id, wrong)).rejects.toMatchObject({ code: 'DIGEST_INVALID' })
    expect(await repository.blobs.stat(wrong)).toBeUndefined()
    expect(await blobs.stat(wrong)).toBeUndefined()
    await expect(repository.uploads.finish(id, digestOf(bytesOf('right')))).rejects.toMatchObject({ code: 'BLOB_UPLOAD_UNKNOWN' })
  })

  it('lets an upload be continued in its own repository only', async () => {
    const repository = open()
    const other = open()
    const { id } = await repository.uploads.begin()
    expect(await other.uploads.stat(id)).toBeUndefined()
    expect(await other.uploads.cancel(id)).toBe(false)
    await expect(other.uploads.append(id, streamOf(bytesOf('x')))).rejects.toMatchObject({ code: 'BLOB_UPLOAD_UNKNOWN' })
    await expect(other.uploads.finish(id, digestOf(bytesOf('')))).rejects.toMatchObject({ code: 'BLOB_UPLOAD_UNKNOWN' })
    expect(await repository.uploads.stat(id)).toEqual({ id, size: 0 })
  })

  it('gives a blob to no repository that it was not put into, whoever knows its digest', async () => {
    const owner = open()
    const other = open()
    const { digest } = await push(owner, bytesOf(`secret ${randomUUID()}`))
    expect(await other.blobs.stat(digest)).toBeUndefined()
    expect(await other.blobs.open(digest)).toBeUndefined()
    expect(await other.blobs.delete(digest)).toBe(false)
    const { id } = await other.uploads.begin()
    await expect(other.uploads.finish(id, digest)).rejects.toMatchObject({ code: 'DIGEST_INVALID' })
    expect(await other.uploads.mountable(digest, 5)).toEqual([owner.name])
    expect(await other.uploads.mount(digest, owner.name)).toMatchObject({ digest })
    expect(await other.blobs.stat(digest)).toMatchObject({ digest })
    expect(await owner.blobs.delete(digest)).toBe(true)
    expect(await owner.blobs.stat(digest)).toBeUndefined()
    expect(await other.blobs.stat(digest)).toMatchObject({ digest })
  })

  it('loses nothing acknowledged and hands out nothing when it dies between any two steps of a finish', async () => {
    const steps = ['commit', 'linkBlob', 'deleteUpload', 'after deleteUpload'] as const
    for (const step of steps) {
      const bytes = bytesOf(`dies before ${step} ${randomUUID()}`)
      const digest = digestOf(bytes)
      const healthy = open()
      const death = new Error('the process is dead')
      const dying = open(
        {
          blobs: { ...bound(blobs), draft: (id) => ({ ...blobs.draft(id), ...(step === 'commit' && { commit: () => Promise.reject(death) }) }) },
          metadata: {
            ...metadata,
            ...(step === 'linkBlob' && { linkBlob: () => Promise.reject(death) }),
            ...(step === 'deleteUpload' && { deleteUpload: () => Promise.reject(death) }),
            ...(step === 'after deleteUpload' && { deleteUpload: (...args) => metadata.deleteUpload(...args).then(() => Promise.reject(death)) }),
          },
        },
        healthy.name,
      )
      const { id } = await dying.uploads.begin()
      await dying.uploads.append(id, streamOf(bytes))
      await expect(dying.uploads.finish(id, digest)).rejects.toBe(death)

      const visible = (await healthy.blobs.stat(digest)) !== undefined
      const again = await healthy.uploads.finish(id, digest).catch((error: unknown) => error)
      if (step === 'commit') expect(again).toMatchObject({ digest, size: bytes.length })
      else if (step === 'deleteUpload') expect(again).toMatchObject({ digest, size: bytes.length })
      else expect(again).toMatchObject({ code: 'BLOB_UPLOAD_UNKNOWN' })
      expect(visible).toBe(step === 'deleteUpload' || step === 'after deleteUpload')

      await push(healthy, bytes)
      expect(await read(healthy, digest)).toEqual(bytes)
      expect(await healthy.uploads.stat(id)).toBeUndefined()
    }
  })

  it('keeps a manifest under the digest of its bytes, sparse or not, and lists it with its tags and its subject', async () => {
    const repository = open()
    const subject = digestOf(bytesOf('a subject that is not there'))
    const bytes = bytesOf(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: OCI_MANIFEST,
        config: { mediaType: 'application/x', digest: digestOf(bytesOf('absent')), size: 6 },
        layers: [],
        subject: { mediaType: OCI_MANIFEST, digest: subject, size: 1 },
      }),
    )
    const page = { limit: 10 }
    expect(await repository.tags.list(page)).toBeUndefined()
    const digest = digestOf(bytes, 'sha512')
    await expect(repository.manifests.put({ bytes, mediaType: OCI_MANIFEST, digest: digestOf(bytesOf('other')), tags: [] })).rejects.toMatchObject({
      code: 'DIGEST_INVALID',
    })
    const receipt = await repository.manifests.put({ bytes, mediaType: OCI_MANIFEST, digest, tags: [parseTag('a'), parseTag('b')] })
    expect(receipt).toEqual({ descriptor: { mediaType: OCI_MANIFEST, digest, size: bytes.length }, subject })
    expect((await repository.manifests.get({ tag: parseTag('b') }))?.bytes).toEqual(bytes)
    expect((await repository.manifests.stat({ digest }))?.descriptor.digest).toBe(digest)
    expect(await repository.tags.list({ limit: 1, last: 'a' })).toEqual({ items: ['b'], more: false })
    expect((await repository.referrers.list(subject, { page })).items).toMatchObject([{ digest, artifactType: 'application/x' }])
    expect(await repository.tags.delete(parseTag('a'))).toBe(true)
    expect(await repository.manifests.delete(digest)).toBe(true)
    expect(await repository.manifests.get({ tag: parseTag('b') })).toBeUndefined()
    expect((await repository.tags.list(page))?.items).toEqual([])
    expect((await repository.referrers.list(subject, { page })).items).toEqual([])
  })
})

/** Its methods, for a test that replaces one of them. */
function bound(store: BlobStore): BlobStore {
  return {
    stat: (digest) => store.stat(digest),
    open: (digest, range) => store.open(digest, range),
    delete: (digest) => store.delete(digest),
    list: (page) => store.list(page),
    draft: (id) => store.draft(id),
    drafts: (page) => store.drafts(page),
  }
}
