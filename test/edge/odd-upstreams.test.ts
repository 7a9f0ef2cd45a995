import { afterEach, describe, expect, it } from 'vitest'
import { SOURCE_LIMITS } from '../../edge/limits.ts'
import { FillTable } from '../../registry/fill/index.ts'
import { LEASE_TIMES } from '../../registry/pull-through/lease-rules.ts'
import { PullThrough } from '../../registry/pull-through.ts'
import type { BlobBody } from '../../registry/registry.ts'
import { RemoteRegistry } from '../../registry/remote/index.ts'
import { DEFAULT_LIMITS } from '../../registry/remote/limits.ts'
import { parseRepositoryName, parseTag } from '../../registry/spec/names.ts'
import { createHasher } from '../../stores/hasher.ts'
import { memoryObjectStore } from '../../stores/memory-object-store.ts'
import { slicedBlobStore } from '../../stores/sliced-blob-store.ts'
import { TestClock } from '../support/clock.ts'
import { digestOf, quiet, read } from '../support/fill-source.ts'
import { randomImage } from '../support/images.ts'
import { OddRegistry } from '../support/odd-registry.ts'

const app = parseRepositoryName('team/app')
const latest = parseTag('latest')
/** So long after it was fetched, a client waits for news of the tag. */
const AFTER_THE_LEASE = LEASE_TIMES.freshMs + LEASE_TIMES.behindMs + 1

describe('a pull-through in front of a registry with its own manners', () => {
  const open: AsyncDisposable[] = []
  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]()
  })

  async function inFront(layers: readonly number[] = [200_000]) {
    const odd = await OddRegistry.start(layers)
    open.push(odd)
    const clock = new TestClock()
    const blobs = slicedBlobStore(memoryObjectStore())
    const table = new FillTable({ blobs, createHasher, clock, log: quiet })
    open.push({ [Symbol.asyncDispose]: () => table.close() })
    const remote = new RemoteRegistry({ url: odd.url, fetch, clock, random: () => 0, limits: SOURCE_LIMITS })
    const cache = new PullThrough({
      source: { id: 'odd', name: 'odd.test', with: (signal) => remote.with(signal) },
      cache: { blobs, records: memoryObjectStore() },
      fills: table,
      createHasher,
      clock,
      log: quiet,
    })
    return { odd, clock, cache, table, repository: cache.with().repository(app) }
  }
  const bytesOf = async (body: BlobBody | undefined) => {
    if (body?.stream === undefined) throw new Error('there should be a stream')
    return read(body.stream)
  }

  it('asks for cold blobs again when the wait of a 429 is over, however often clients asked in the meantime', async () => {
    const { odd, clock, repository } = await inFront([50_000, 60_000])
    const [first, second] = odd.image.layers
    if (first === undefined || second === undefined) throw new Error('there should be two layers')
    odd.answers.blobs.push({ status: 429, headers: { 'retry-after': '2' } })
    await expect(repository.blobs.open(first.digest)).rejects.toMatchObject({ code: 'TOOMANYREQUESTS', headers: { 'Retry-After': '2' } })
    const asked = odd.lines.length
    for (let waited = 200; waited < 2_000; waited += 200) {
      clock.advance(200)
      for (const layer of [first, second]) await expect(repository.blobs.open(layer.digest)).rejects.toMatchObject({ code: 'TOOMANYREQUESTS' })
      await expect(repository.blobs.stat(second.digest)).rejects.toMatchObject({ code: 'TOOMANYREQUESTS' })
    }
    expect(odd.lines).toHaveLength(asked)
    clock.advance(200)
    for (const layer of [first, second]) expect(digestOf(await bytesOf(await repository.blobs.open(layer.digest)))).toBe(layer.digest)
  })

  it.each([405, 501, 400])('follows a tag with GET where HEAD is answered with %i, and tries HEAD again some day', async (headless) => {
    const { odd, clock, repository } = await inFront()
    odd.headless = headless
    const resolve = async () => {
      const manifest = await repository.manifests.get({ tag: latest })
      return [manifest?.descriptor.digest, manifest?.warnings]
    }
    expect(await resolve()).toEqual([odd.image.manifest.digest, undefined])
    for (let round = 0; round < 2; round++) {
      odd.move()
      clock.advance(AFTER_THE_LEASE)
      odd.seen.length = 0
      expect(await resolve()).toEqual([odd.image.manifest.digest, undefined])
    }
    expect(odd.lines.filter((line) => line.startsWith('HEAD /v2/team/app/manifests/'))).toEqual([])
    clock.advance(DEFAULT_LIMITS.headlessMs)
    odd.headless = undefined
    odd.move()
    odd.seen.length = 0
    expect(await resolve()).toEqual([odd.image.manifest.digest, undefined])
    expect(odd.lines[0]).toBe('HEAD /v2/team/app/manifests/latest')
  })

  it.each([405, 501, 400])('loses no tag that it knows to a registry that answers everything with %i', async (status) => {
    const { odd, clock, repository } = await inFront()
    const { digest } = (await repository.manifests.get({ tag: latest }))?.descriptor ?? {}
    clock.advance(AFTER_THE_LEASE)
    odd.answers.manifests.push({ status }, { status })
    const stale = await repository.manifests.get({ tag: latest })
    expect([stale?.descriptor.digest, stale?.warnings?.map(({ code }) => code)]).toEqual([digest, [110, 111]])
  })

  it.each([
    ['a page', 'text/html', '<html>Log in to the network of this hotel</html>'],
    ['nothing', 'text/plain', ''],
    ['an error', 'application/json', '{"errors":[{"code":"UNKNOWN","message":"try later"}]}'],
    ['a list', 'application/vnd.oci.image.manifest.v1+json', '[]'],
  ])(
    'takes %s with a good status for no manifest: not in place of a tag that it knows, and not of one that it does not',
    async (_what, type, body) => {
      const { odd, clock, repository } = await inFront()
      const page = { status: 200, headers: { 'content-type': type }, body }
      odd.answers.manifests.push(page, page)
      await expect(repository.manifests.get({ tag: latest })).rejects.toMatchObject({ code: 'UPSTREAM_INVALID', status: 502 })
      clock.advance(AFTER_THE_LEASE)
      const { digest } = (await repository.manifests.get({ tag: latest }))?.descriptor ?? {}
      expect(digest).toBe(odd.image.manifest.digest)
      odd.move()
      clock.advance(AFTER_THE_LEASE)
      odd.answers.manifests.push(page, page, page, page)
      const stale = await repository.manifests.get({ tag: latest })
      expect([stale?.descriptor.digest, stale?.warnings?.map(({ code }) => code)]).toEqual([digest, [110, 111]])
      odd.answers.manifests.length = 0
      clock.advance(AFTER_THE_LEASE)
      expect((await repository.manifests.get({ tag: latest }))?.descriptor.digest).toBe(odd.image.manifest.digest)
    },
  )

  it.each([
    ['its manifest', { lengthInHead: false, ranges: false }],
    ['a HEAD', { ranges: false }],
    ['a range', { lengthInHead: false }],
  ])('gives a blob that comes without its length when %s tells it', async (teller, manners) => {
    const { odd, repository } = await inFront()
    Object.assign(odd, { chunked: true, ...manners })
    const [layer] = odd.image.layers
    if (layer === undefined) throw new Error('there should be a layer')
    if (teller === 'its manifest') await repository.manifests.get({ digest: odd.image.manifest.digest })
    const body = await repository.blobs.open(layer.digest)
    expect(body?.size).toBe(200_000)
    expect(digestOf(await bytesOf(body))).toBe(layer.digest)
  })

  it('says that a blob has no length when nothing tells it', async () => {
    const { odd, repository } = await inFront()
    Object.assign(odd, { chunked: true, lengthInHead: false, ranges: false })
    const { digest } = odd.image.layers[0] ?? odd.image.manifest
    await expect(repository.blobs.open(digest)).rejects.toMatchObject({ code: 'UPSTREAM_INVALID', message: expect.stringContaining('how long') })
  })

  it('asks again for a manifest that was cut in the middle, and not for ever', async () => {
    const { odd, repository } = await inFront()
    odd.cuts = 1
    expect((await repository.manifests.get({ tag: latest }))?.bytes).toEqual(odd.image.manifest.bytes)
    odd.move()
    odd.cuts = Number.POSITIVE_INFINITY
    odd.seen.length = 0
    const { digest } = odd.image.manifest
    await expect(repository.manifests.get({ digest })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(odd.lines.filter((line) => line.endsWith(digest))).toHaveLength(2)
  })

  it('asks for an unknown blob once, and again when it was pushed or a manifest names it', async () => {
    const { odd, cache, repository } = await inFront()
    const later = randomImage({ layers: [1_000, 2_000] })
    const [pushed, named] = later.layers
    if (pushed === undefined || named === undefined) throw new Error('there should be two layers')
    for (let pull = 0; pull < 20; pull++) for (const { digest } of [pushed, named]) expect(await repository.blobs.open(digest)).toBeUndefined()
    expect(odd.lines).toHaveLength(2)
    odd.move(later)
    await cache.pushed.blob(app, pushed.digest, async () => undefined)
    expect(digestOf(await bytesOf(await repository.blobs.open(pushed.digest)))).toBe(pushed.digest)
    await repository.manifests.get({ digest: later.manifest.digest })
    expect(digestOf(await bytesOf(await repository.blobs.open(named.digest)))).toBe(named.digest)
  })
})
