import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { FillTable } from '../../registry/fill/index.ts'
import { LEASE_TIMES } from '../../registry/pull-through/lease-rules.ts'
import { PullThrough } from '../../registry/pull-through.ts'
import type { BlobBody } from '../../registry/registry.ts'
import { RemoteRegistry } from '../../registry/remote/index.ts'
import { parseDigest } from '../../registry/spec/digests.ts'
import { parseRepositoryName, parseTag } from '../../registry/spec/names.ts'
import { fsBlobStore } from '../../stores/fs-blob-store.ts'
import { fsObjectStore } from '../../stores/fs-object-store.ts'
import { createHasher } from '../../stores/hasher.ts'
import { TestClock } from '../support/clock.ts'
import { digestOf, quiet, read } from '../support/fill-source.ts'
import { randomImage, randomIndex } from '../support/images.ts'
import { requireTool } from '../support/tools.ts'
import { HOW_TO_GET_REGISTRY } from '../support/upstream/distribution.ts'
import { startUpstream, type Upstream } from '../support/upstream/upstream.ts'

const app = parseRepositoryName('library/app')
const other = parseRepositoryName('library/other')
const latest = parseTag('latest')
/** So long after it was fetched, a client waits for news of the tag. */
const AFTER_THE_LEASE = LEASE_TIMES.freshMs + LEASE_TIMES.behindMs + 1

describe.skipIf(requireTool('registry', HOW_TO_GET_REGISTRY) === undefined)('a pull-through in front of a registry with tokens and redirects', () => {
  let upstream: Upstream
  let folder: string
  let clock: TestClock
  let table: FillTable
  let cache: PullThrough

  beforeAll(async () => {
    const started = await startUpstream({ users: { alice: 'secret' }, isPrivate: (name) => name.startsWith('private/') })
    if (started === undefined) throw new Error('the upstream should have started')
    upstream = started
  })
  afterAll(() => upstream.close())

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'atoll-pull-through-'))
    clock = new TestClock()
    const blobs = fsBlobStore(join(folder, 'blobs'))
    table = new FillTable({ blobs, createHasher, clock, log: quiet })
    // The clock of the client stands still as well: what it waits for, it waits for in earnest.
    const remote = new RemoteRegistry({ url: upstream.url, fetch, clock, limits: { attempts: 1 } })
    cache = new PullThrough({
      source: { id: 'upstream', name: 'upstream.test', with: (signal) => remote.with(signal) },
      cache: { blobs, records: fsObjectStore(join(folder, 'records')) },
      fills: table,
      createHasher,
      clock,
      log: quiet,
    })
  })
  afterEach(async () => {
    upstream.heal()
    await table.close()
    await rm(folder, { recursive: true, force: true, maxRetries: 10 })
  })

  const repository = () => cache.with().repository(app)
  const bytesOf = async (body: BlobBody | undefined) => {
    if (body?.stream === undefined) throw new Error('there should be a stream')
    return read(body.stream)
  }
  async function pushed(layers: readonly number[] = [200_000]) {
    const image = randomImage({ layers })
    await upstream.push(app, image, 'latest')
    upstream.reset()
    const [layer] = image.layers
    if (layer === undefined) throw new Error('there should be a layer')
    return { image, layer }
  }

  it('pulls an image once from upstream, and then without it', async () => {
    const { image } = await pushed([300_000, 50_000])
    for (let pull = 0; pull < 3; pull++) {
      expect((await repository().manifests.stat({ tag: latest }))?.descriptor.digest).toBe(image.manifest.digest)
      expect((await repository().manifests.get({ digest: image.manifest.digest }))?.bytes).toEqual(image.manifest.bytes)
      for (const blob of image.blobs) expect(digestOf(await bytesOf(await repository().blobs.open(blob.digest)))).toBe(blob.digest)
    }
    expect(upstream.counts).toMatchObject({ manifestHeads: 0, manifestGets: 1, blobGets: 3, cdnGets: 3, tokens: 1, blobHeads: 0 })
    expect(upstream.counts.blobBytes).toBe(image.blobs.reduce((sum, { bytes }) => sum + bytes.length, 0))
  })

  it('downloads a layer once for 64 clients', async () => {
    const { layer } = await pushed([4_000_000])
    const digests = await Promise.all(Array.from({ length: 64 }, async () => digestOf(await bytesOf(await repository().blobs.open(layer.digest)))))
    expect(new Set(digests)).toEqual(new Set([layer.digest]))
    expect(upstream.counts).toMatchObject({ cdnGets: 1, blobBytes: layer.bytes.length })
  })

  it('serves a multi-platform index and asks for no platform that nobody wants', async () => {
    const index = randomIndex(['amd64', 'arm64'])
    await upstream.push(app, index, 'multi')
    upstream.reset()
    expect((await repository().manifests.get({ tag: parseTag('multi') }))?.descriptor.digest).toBe(index.manifest.digest)
    expect(upstream.counts).toMatchObject({ manifestGets: 1, cdnGets: 0 })
  })

  it('confirms a tag by HEAD after its lease, and gets the manifest only when it changed', async () => {
    const { image } = await pushed()
    await repository().manifests.get({ tag: latest })
    clock.advance(AFTER_THE_LEASE)
    expect((await repository().manifests.get({ tag: latest }))?.descriptor.digest).toBe(image.manifest.digest)
    expect(upstream.counts).toMatchObject({ manifestHeads: 1, manifestGets: 1 })
    const moved = await pushed()
    clock.advance(AFTER_THE_LEASE)
    expect((await repository().manifests.get({ tag: latest }))?.descriptor.digest).toBe(moved.image.manifest.digest)
    expect(upstream.counts).toMatchObject({ manifestHeads: 1, manifestGets: 1 })
  })

  it.each([429, 500, 503])('serves a known tag with a warning while upstream answers %i, and recovers', async (status) => {
    const { image } = await pushed()
    await repository().manifests.get({ tag: latest })
    clock.advance(AFTER_THE_LEASE)
    Object.assign(upstream.faults, { status, retryAfter: 5 })
    const stale = await repository().manifests.get({ tag: latest })
    expect(stale?.descriptor.digest).toBe(image.manifest.digest)
    expect(stale?.warnings?.[0]?.code).toBe(110)
    upstream.reset()
    expect((await repository().manifests.get({ tag: latest }))?.warnings?.[0]?.code).toBe(110)
    expect(upstream.counts.manifestHeads).toBe(0)
    upstream.heal()
    clock.advance(6_000)
    expect((await repository().manifests.get({ tag: latest }))?.warnings).toBeUndefined()
  })

  it('serves a known tag when upstream hangs, soon enough by its own clock', async () => {
    const { image } = await pushed()
    await repository().manifests.get({ tag: latest })
    clock.advance(AFTER_THE_LEASE)
    upstream.faults.hang = true
    const answer = repository().manifests.get({ tag: latest })
    await clock.waitedFor(350)
    clock.advance(350)
    expect((await answer)?.descriptor.digest).toBe(image.manifest.digest)
    expect((await answer)?.warnings?.[0]?.code).toBe(110)
  })

  it('forgets a tag that is gone upstream', async () => {
    const { image } = await pushed()
    await repository().manifests.get({ tag: latest })
    await upstream.remove(app, image.manifest.digest)
    clock.advance(AFTER_THE_LEASE)
    expect(await repository().manifests.get({ tag: latest })).toBeUndefined()
  })

  it('asks for an unknown tag once, and again after it was told of a push', async () => {
    const tag = parseTag('not-yet')
    await pushed()
    for (let pull = 0; pull < 20; pull++) expect(await repository().manifests.get({ tag })).toBeUndefined()
    expect(upstream.counts.manifestGets).toBe(1)
    const image = randomImage()
    await upstream.push(app, image, tag)
    await cache.forgetTag(app, tag)
    expect((await repository().manifests.get({ tag }))?.descriptor.digest).toBe(image.manifest.digest)
  })

  it('gives a range of a cold layer at once, and has the layer afterwards', async () => {
    const { layer } = await pushed([3_000_000])
    const range = { offset: 1_000_000, length: 100_000 }
    expect((await repository().blobs.stat(layer.digest))?.size).toBe(3_000_000)
    expect(await bytesOf(await repository().blobs.open(layer.digest, range))).toEqual(new Uint8Array(layer.bytes.subarray(1_000_000, 1_100_000)))
    await bytesOf(await repository().blobs.open(layer.digest))
    expect(upstream.counts).toMatchObject({ cdnGets: 1, blobBytes: layer.bytes.length })
  })

  it('continues a layer whose connections are cut, without taking a byte twice', async () => {
    const { layer } = await pushed([3_000_000])
    Object.assign(upstream.faults, { on: (kind: string) => kind === 'cdn', cutAfter: 700_000, cuts: 3 })
    expect(digestOf(await bytesOf(await repository().blobs.open(layer.digest)))).toBe(layer.digest)
    expect(upstream.counts.cdnGets).toBe(4)
    // What was on the wire when it was cut counts as sent, and may not have come.
    expect(upstream.counts.blobBytes).toBeLessThanOrEqual(layer.bytes.length + 3 * 256 * 1024)
  })

  it('continues although upstream ignores ranges', async () => {
    const { layer } = await pushed([1_000_000])
    Object.assign(upstream.faults, { on: (kind: string) => kind === 'cdn', cutAfter: 600_000, cuts: 1, ignoreRange: true })
    expect(digestOf(await bytesOf(await repository().blobs.open(layer.digest)))).toBe(layer.digest)
  })

  it.each(['flip', 'all'] as const)('never completes a layer of wrong bytes (%s), keeps nothing, and heals', async (corrupt) => {
    const { layer } = await pushed([1_000_000])
    Object.assign(upstream.faults, { on: (kind: string) => kind === 'cdn', corrupt })
    await expect(repository().blobs.open(layer.digest).then(bytesOf)).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' })
    await table.idle()
    await expect(repository().blobs.open(layer.digest)).rejects.toMatchObject({ code: 'UPSTREAM_INVALID', status: 502 })
    upstream.heal()
    clock.advance(10_001)
    expect(digestOf(await bytesOf(await repository().blobs.open(layer.digest)))).toBe(layer.digest)
  })

  it.each([-1_000, 1_000])('never completes a layer whose length is off by %i', async (lengthOff) => {
    const { layer } = await pushed([1_000_000])
    Object.assign(upstream.faults, { on: (kind: string) => kind === 'cdn', lengthOff })
    await expect(repository().blobs.open(layer.digest).then(bytesOf)).rejects.toMatchObject({ name: 'RegistryError' })
  })

  it('does not take what upstream once said of a length for the truth, nor a range for outside because of it', async () => {
    const { layer } = await pushed([1_000_000])
    Object.assign(upstream.faults, { on: (kind: string) => kind === 'cdn', lengthOff: -1_000 })
    await expect(repository().blobs.open(layer.digest).then(bytesOf)).rejects.toMatchObject({ name: 'RegistryError' })
    await table.idle()
    clock.advance(10_001)
    // It says one thing when it is asked how long it is, and another when it sends it.
    expect((await repository().blobs.stat(layer.digest))?.size).toBe(1_000_000)
    const range = { offset: 999_500, length: 100 }
    await expect(repository().blobs.open(layer.digest, range)).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' })
    await table.idle()
    upstream.heal()
    clock.advance(10_001)
    expect(await bytesOf(await repository().blobs.open(layer.digest, range))).toEqual(new Uint8Array(layer.bytes.subarray(999_500, 999_600)))
    expect((await repository().blobs.stat(layer.digest))?.size).toBe(1_000_000)
  })

  it('refuses a manifest of wrong bytes, names upstream, and heals', async () => {
    const { image } = await pushed()
    Object.assign(upstream.faults, { on: (kind: string) => kind === 'manifest', corrupt: 'flip' })
    await expect(repository().manifests.get({ digest: image.manifest.digest })).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' })
    upstream.heal()
    clock.advance(10_001)
    expect((await repository().manifests.get({ digest: image.manifest.digest }))?.bytes).toEqual(image.manifest.bytes)
  })

  it('gives a blob through no repository that upstream does not have it in, however warm it is', async () => {
    const { layer } = await pushed()
    await bytesOf(await repository().blobs.open(layer.digest))
    expect(await cache.with().repository(other).blobs.open(layer.digest)).toBeUndefined()
    expect(await cache.with().repository(other).blobs.stat(layer.digest)).toBeUndefined()
    await cache.forgetBlob(app, layer.digest)
    upstream.faults.status = 503
    await expect(repository().blobs.open(layer.digest)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('serves what it has while upstream is down', async () => {
    const { image, layer } = await pushed()
    await repository().manifests.get({ tag: latest })
    await bytesOf(await repository().blobs.open(layer.digest))
    upstream.faults.status = 503
    expect((await repository().manifests.get({ digest: image.manifest.digest }))?.bytes).toEqual(image.manifest.bytes)
    expect(digestOf(await bytesOf(await repository().blobs.open(layer.digest)))).toBe(layer.digest)
    await expect(repository().blobs.open(parseDigest(`sha256:${'0'.repeat(64)}`))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('lists tags, and takes no push', async () => {
    await pushed()
    expect((await repository().tags.list({ limit: 100 }))?.items).toContain('latest')
    await expect(repository().uploads.begin()).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  })
})
