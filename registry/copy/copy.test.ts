import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createHasher } from '../../stores/hasher.ts'
import { MemoryRepository } from '../../test/support/memory-repository.ts'
import { type Digest, parseDigest } from '../spec/digests.ts'
import { RegistryError } from '../spec/errors.ts'
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from '../spec/media-types.ts'
import { parseRepositoryName, parseTag } from '../spec/names.ts'
import { copy } from './copy.ts'
import type { CopyOptions, ResumeStore } from './options.ts'
import { Together } from './together.ts'

const tag = parseTag('v1')
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip'

function filled(size: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, at) => (at * 31 + seed * 17) % 251)
}

/** An index of an index and three images that share layers, with a signature of one image and one of that signature. */
function source() {
  const repository = new MemoryRepository('team/app')
  const blob = (size: number, seed: number, mediaType: string) => ({ mediaType, digest: repository.addBlob(filled(size, seed)), size })
  const shared = blob(7_500, 1, LAYER)
  const image = (seed: number) =>
    repository.addManifest({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: blob(200, seed, OCI_CONFIG),
      layers: [
        shared,
        blob(3_000 + seed, seed + 100, LAYER),
        { mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar', digest: `sha256:${'f'.repeat(64)}`, size: 5 },
      ],
    })
  const [one, two, three] = [image(2), image(3), image(4)]
  const inner = repository.addManifest({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [one, two] })
  const outer = repository.addManifest({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [inner, two, three] }, 'v1')
  const signature = (subject: object, seed: number) =>
    repository.addManifest({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      artifactType: 'signature',
      config: blob(2, seed, OCI_CONFIG),
      layers: [],
      subject,
    })
  const first = signature(one, 50)
  const second = signature(first, 51)
  return { repository, outer, three, referrers: [first.digest, second.digest] }
}

function memoryResume(): ResumeStore & { readonly ids: Map<Digest, string> } {
  const ids = new Map<Digest, string>()
  return {
    ids,
    get: async ({ digest }) => ids.get(digest),
    put: async ({ digest }, id) => void ids.set(digest, id),
    delete: async ({ digest }) => void ids.delete(digest),
  }
}

const options: CopyOptions = { createHasher }

describe('copy', () => {
  it('moves an index with everything below it, each thing once, and nothing a second time', async () => {
    const { repository, outer, referrers } = source()
    const destination = new MemoryRepository('mirror/app', { strict: true })
    const report = await copy(repository.open(), destination.open(), { tag }, options)
    expect(destination.tags.get('v1')).toBe(outer.digest)
    expect(destination.missing(outer.digest)).toEqual([])
    expect(report.bytes).toBe([...destination.blobs.values()].reduce((sum, bytes) => sum + bytes.byteLength, 0))
    expect(repository.calls.filter((call) => call === 'blobs.open')).toHaveLength(destination.blobs.size)
    expect(referrers.some((digest) => destination.manifests.has(digest))).toBe(false)
    destination.calls.length = 0
    expect(await copy(repository.open(), destination.open(), { tag }, options)).toMatchObject({ copied: 0, bytes: 0 })
    expect(destination.calls).toEqual(['manifests.stat'])
  })

  it('brings referrers of all that it copies, before the tag, and new ones later', async () => {
    const { repository, outer, referrers } = source()
    let tagged: Digest | undefined
    const destination = new MemoryRepository('mirror/app', {
      strict: true,
      before: (call) => {
        if (call === 'manifests.put') tagged ??= destination.tags.get('v1')
      },
    })
    await copy(repository.open(), destination.open(), { tag }, { ...options, referrers: true })
    expect(referrers.every((digest) => destination.manifests.has(digest))).toBe(true)
    expect(tagged).toBeUndefined()
    const third = repository.addManifest({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: OCI_CONFIG, digest: repository.addBlob(filled(9, 9)), size: 9 },
      layers: [],
      subject: outer,
    })
    expect(await copy(repository.open(), destination.open(), { tag }, { ...options, referrers: true })).toMatchObject({ copied: 2, bytes: 9 })
    expect(destination.missing(third.digest)).toEqual([])
  })

  it('broken off at any step, nothing is visible before what it refers to, and the next run goes on where it was', async () => {
    const { repository, outer } = source()
    const complete = new MemoryRepository('mirror/app', { strict: true })
    const whole = await copy(repository.open(), complete.open(), { tag }, { ...options, referrers: true })
    const steps = complete.calls.length
    const totalBytes = whole.bytes

    const crash = new Error('the process dies')
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.array(fc.record({ calls: fc.nat(steps) }), { minLength: 1, maxLength: 4 }),
          fc.array(fc.record({ bytes: fc.nat(totalBytes) }), { minLength: 1, maxLength: 4 }),
        ),
        fc.integer({ min: 1, max: 5 }),
        fc.boolean(),
        fc.constantFrom(undefined, 'takes' as const, 'opens' as const),
        async (crashes, parallel, referrers, atOnce) => {
          const destination = new MemoryRepository('mirror/app')
          const resume = memoryResume()
          let arrived = 0
          const whatIsThereIsWhole = () => {
            for (const digest of destination.manifests.keys()) expect(destination.missing(digest)).toEqual([])
            for (const digest of destination.tags.values()) expect(destination.missing(digest)).toEqual([])
          }
          const run = (limit: { calls?: number; bytes?: number }) => {
            let { calls = Number.POSITIVE_INFINITY, bytes = Number.POSITIVE_INFINITY } = limit
            destination.options = {
              strict: true,
              atOnce,
              before: () => {
                whatIsThereIsWhole()
                if (calls-- <= 0) throw crash
              },
              arrived: (length) => {
                arrived += length
                bytes -= length
                if (bytes < 0) throw crash
              },
            }
            return copy(repository.open(), destination.open(), { tag }, { ...options, resume, parallel, referrers })
          }
          for (const limit of crashes) {
            await run(limit).catch((error: unknown) => {
              if (error !== crash) throw error
            })
            whatIsThereIsWhole()
          }
          await run({})
          expect(destination.missing(outer.digest)).toEqual([])
          expect(destination.tags.get('v1')).toBe(outer.digest)
          expect(destination.uploads.size).toBeLessThanOrEqual(crashes.length * parallel)
          const have = [...destination.blobs.values()].reduce((sum, blob) => sum + blob.byteLength, 0)
          // What has arrived is never sent again.
          expect(arrived).toBe(have)
          expect(resume.ids.size).toBe(0)
        },
      ),
      { numRuns: 150 },
    )
  })

  it('a link that is cut again and again is used as long as something arrives', async () => {
    const { repository, outer } = source()
    let left = 2_500
    const destination = new MemoryRepository('mirror/app', {
      strict: true,
      arrived: (length) => {
        left -= length
        if (left > 0) return
        left = 2_500
        throw new RegistryError('UNAVAILABLE', 'cut')
      },
    })
    const report = await copy(repository.open(), destination.open(), { tag }, { ...options, parallel: 1 })
    expect(destination.missing(outer.digest)).toEqual([])
    expect(report.bytes).toBe([...destination.blobs.values()].reduce((sum, bytes) => sum + bytes.byteLength, 0))
  })

  it('never finishes a blob that the source lies about', async () => {
    const { repository } = source()
    const [victim] = repository.blobs.keys()
    if (victim) repository.blobs.set(victim, filled(7_500, 99))
    const destination = new MemoryRepository('mirror/app', { strict: true })
    const resume = memoryResume()
    await expect(copy(repository.open(), destination.open(), { tag }, { ...options, resume, parallel: 1 })).rejects.toMatchObject({
      code: 'UPSTREAM_INVALID',
    })
    expect(destination.uploads.size).toBe(0)
    expect(victim && destination.blobs.has(victim)).toBe(false)
    expect(destination.tags.size).toBe(0)
    expect(resume.ids.size).toBe(0)
  })

  it.each([undefined, 'takes'] as const)(
    'sends again what the destination lost, from the beginning, but not for ever (in one request: %s)',
    async (atOnce) => {
      const { repository, outer } = source()
      let losses = 1
      const keeps = (bytes: Uint8Array) => (losses-- > 0 ? bytes.subarray(0, bytes.byteLength - 100) : bytes)
      const destination = new MemoryRepository('mirror/app', { strict: true, keeps, atOnce })
      const resume = memoryResume()
      let moved = 0
      const onMoved = (bytes: number) => {
        moved += bytes
      }
      const report = await copy(repository.open(), destination.open(), { tag }, { ...options, resume, parallel: 1, onMoved })
      expect(destination.missing(outer.digest)).toEqual([])
      expect(moved).toBe(report.bytes)

      losses = Number.POSITIVE_INFINITY
      const leaky = new MemoryRepository('mirror/leaky', { strict: true, keeps, atOnce })
      const together = new Together({ requests: 1, streams: 1 })
      const failure = await copy(repository.open(), leaky.open(), { tag }, { ...options, resume, together }).catch((error) => error)
      expect(failure).toMatchObject({ code: 'BLOB_UPLOAD_INVALID', message: expect.stringContaining('All of sha256:') })
      const [, lost] = failure.message.match(/All of (sha256:[0-9a-f]{64})/) ?? []
      expect(together.places.of(failure)).toBe(`moving the blob ${lost}`)
      expect(leaky.calls.filter((call) => call === 'uploads.finish').length, 'once more, not again and again').toBe(2)
      expect(resume.ids.size).toBe(0)
    },
  )

  it('a child that the source does not have ends the copy, or is passed over where that is wanted, and comes when it is there', async () => {
    const { repository, outer, three } = source()
    const kept = repository.manifests.get(three.digest)
    repository.manifests.delete(three.digest)
    const destination = new MemoryRepository('mirror/app')
    await expect(copy(repository.open(), destination.open(), { tag }, options)).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' })
    expect(destination.tags.size).toBe(0)
    expect((await copy(repository.open(), destination.open(), { tag }, { ...options, missingChildren: 'skip' })).missing).toEqual([three.digest])
    expect(destination.tags.get('v1')).toBe(outer.digest)
    if (kept) repository.manifests.set(three.digest, kept)
    await copy(repository.open(), destination.open(), { digest: outer.digest }, options)
    expect(destination.missing(outer.digest)).toEqual([])
  })

  it('mounts what another repository of the destination has, but nothing that the source only names', async () => {
    const { repository, outer } = source()
    const neighbour = new MemoryRepository('mirror/base')
    const [shared] = repository.blobs
    if (shared) neighbour.blobs.set(...shared)
    const mountFrom = async () => [parseRepositoryName('mirror/elsewhere'), neighbour.name]
    const destination = new MemoryRepository('mirror/app', { strict: true, neighbours: [neighbour] })
    const report = await copy(repository.open(), destination.open(), { tag }, { ...options, mountFrom })
    expect(destination.missing(outer.digest)).toEqual([])
    const have = [...destination.blobs.values()].reduce((sum, bytes) => sum + bytes.byteLength, 0)
    expect(report).toMatchObject({ mounted: 1, bytes: have - (shared?.[1].byteLength ?? 0) })

    if (shared) repository.blobs.delete(shared[0])
    const thief = new MemoryRepository('mirror/thief', { strict: true, neighbours: [neighbour] })
    await expect(copy(repository.open(), thief.open(), { tag }, { ...options, mountFrom })).rejects.toMatchObject({ code: 'MANIFEST_BLOB_UNKNOWN' })
    expect(shared && thief.blobs.has(shared[0])).toBe(false)
  })

  it('asks nothing about what came from here with what the tag was before', async () => {
    const { repository, outer } = source()
    const destination = new MemoryRepository('mirror/app', { strict: true })
    await copy(repository.open(), destination.open(), { tag }, options)
    const parsed = JSON.parse(Buffer.from(repository.manifests.get(outer.digest)?.bytes ?? []).toString()) as { manifests: object[] }
    const next = repository.addManifest({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: parsed.manifests.slice(0, 2), annotations: {} }, 'v1')
    destination.calls.length = 0
    const whatIsWhole: CopyOptions['whatIsWhole'] = async (at, digest) =>
      at === tag && digest === outer.digest ? repository.manifests.get(digest) : undefined
    await copy(repository.open(), destination.open(), { tag }, { ...options, whatIsWhole })
    expect(destination.tags.get('v1')).toBe(next.digest)
    expect(destination.calls).toEqual(['manifests.stat', 'manifests.put'])
  })

  it('brings of an index the parts for the platforms that are wanted, what tells of them, and later the others', async () => {
    const repository = new MemoryRepository('team/app')
    const part = (seed: number, about: object) => {
      const config = { mediaType: OCI_CONFIG, digest: repository.addBlob(filled(10, seed)), size: 10 }
      return { ...repository.addManifest({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [] }), ...about }
    }
    const [amd64, arm64] = ['amd64', 'arm64'].map((architecture, seed) => part(seed, { platform: { os: 'linux', architecture } }))
    const attestationOf = (child: { readonly digest: Digest } | undefined, seed: number) =>
      part(seed, { platform: { os: 'unknown', architecture: 'unknown' }, annotations: { 'vnd.docker.reference.digest': child?.digest } })
    const attestations = [attestationOf(amd64, 3), attestationOf(arm64, 4)]
    const plain = part(5, {})
    const manifests = [amd64, arm64, ...attestations, plain]
    const index = repository.addManifest({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }, 'v1')
    const digestsOf = (parts: readonly ({ readonly digest: Digest } | undefined)[]) => new Set(parts.map((one) => one?.digest))
    const platforms = ({ architecture }: { readonly architecture: string }) => architecture === 'amd64'

    const destination = new MemoryRepository('mirror/app')
    await copy(repository.open(), destination.open(), { tag }, { ...options, platforms })
    expect(new Set(destination.manifests.keys())).toEqual(digestsOf([amd64, attestations[0], plain, index]))

    const strict = new MemoryRepository('mirror/strict', { strict: true })
    await expect(copy(repository.open(), strict.open(), { tag }, { ...options, platforms })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('takes no index without all its parts'),
    })
    expect(strict.tags.size).toBe(0)

    await copy(repository.open(), destination.open(), { tag }, { ...options, isAllThere: async () => false })
    expect(new Set(destination.manifests.keys())).toEqual(digestsOf([...manifests, index]))
    expect(destination.missing(index.digest)).toEqual([])
  })

  it('several at once move what they have in common once', async () => {
    const { repository, outer } = source()
    for (const name of ['v2', 'v3']) repository.tags.set(name, outer.digest)
    const destination = new MemoryRepository('mirror/app', { strict: true })
    const together = new Together({ requests: 8, streams: 2 })
    const reports = await Promise.all(
      ['v1', 'v2', 'v3'].map((name) => copy(repository.open(), destination.open(), { tag: parseTag(name) }, { ...options, together })),
    )
    expect([...destination.tags.values()]).toEqual([outer.digest, outer.digest, outer.digest])
    expect(repository.calls.filter((call) => call === 'blobs.open')).toHaveLength(destination.blobs.size)
    const have = [...destination.blobs.values()].reduce((sum, bytes) => sum + bytes.byteLength, 0)
    expect(reports.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(have)
  })

  it('does not move a tag that is something else where override is off', async () => {
    const { repository } = source()
    const destination = new MemoryRepository('mirror/app')
    const theirs = destination.addManifest({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] }, 'v1')
    const report = await copy(repository.open(), destination.open(), { tag }, { ...options, override: false, referrers: true })
    expect(report).toMatchObject({ kept: [{ tag, digest: theirs.digest }], copied: 0, bytes: 0 })
    expect(destination.tags.get('v1')).toBe(theirs.digest)
    expect(destination.blobs.size).toBe(0)
    await copy(repository.open(), destination.open(), { tag }, options)
    expect(destination.tags.get('v1')).not.toBe(theirs.digest)
  })

  it('ends at once when it is told to', async () => {
    const { repository } = source()
    const caller = new AbortController()
    const destination = new MemoryRepository('mirror/app', { arrived: () => caller.abort(new Error('enough')) })
    await expect(copy(repository.open(), destination.open(), { tag }, { ...options, signal: caller.signal })).rejects.toThrow('enough')
    expect(destination.manifests.size).toBe(0)
  })

  it('in chunks, arrives the same', async () => {
    const { repository, outer } = source()
    const destination = new MemoryRepository('mirror/app', { strict: true })
    await copy(repository.open(), destination.open(), { tag }, { ...options, chunkBytes: 1_024 })
    expect(destination.missing(outer.digest)).toEqual([])
    expect(destination.calls.filter((call) => call === 'uploads.append').length).toBeGreaterThan(destination.blobs.size)
  })

  it('an empty blob arrives', async () => {
    const repository = new MemoryRepository('team/app')
    const digest = repository.addBlob(new Uint8Array())
    const { digest: manifest } = repository.addManifest(
      { schemaVersion: 2, mediaType: OCI_MANIFEST, config: { mediaType: OCI_CONFIG, digest: parseDigest(digest), size: 0 }, layers: [] } as {
        mediaType: string
      },
      'v1',
    )
    const destination = new MemoryRepository('mirror/app', { strict: true })
    await copy(repository.open(), destination.open(), { tag }, options)
    expect(destination.missing(manifest)).toEqual([])
  })
})
