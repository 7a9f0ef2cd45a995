import { createHash, randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { garbageIndex } from '../../schema/garbage.ts'
import { metadataStore } from '../../schema/metadata-store.ts'
import { findProjectById } from '../../schema/projects.ts'
import { createHasher } from '../../stores/hasher.ts'
import { memoryObjectStore } from '../../stores/memory-object-store.ts'
import { slicedBlobStore } from '../../stores/sliced-blob-store.ts'
import { TestClock } from '../../test/support/clock.ts'
import { seed, temporaryDatabase } from '../../test/support/database.ts'
import type { BlobStore } from '../blob-store.ts'
import { systemClock } from '../clock.ts'
import { LocalRegistry } from '../local.ts'
import type { MetadataStore } from '../metadata-store.ts'
import type { Repository } from '../registry.ts'
import { type Digest, parseDigest } from '../spec/digests.ts'
import { RegistryError } from '../spec/errors.ts'
import { OCI_INDEX, OCI_MANIFEST, OCTETS } from '../spec/media-types.ts'
import { parseRepositoryName, parseTag, type Tag } from '../spec/names.ts'
import { type CollectOptions, type CollectState, collectGarbage } from './collect.ts'
import { CLAIM_MS, CLAIM_OVER_MS, GRACE_MS } from './limits.ts'

const HOUR = 3_600_000
const REPOSITORIES = ['team/a', 'team/b'].map(parseRepositoryName)
const digestOf = (bytes: Uint8Array): Digest => parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
const layer = (n: number) => new TextEncoder().encode(`layer ${n} ${'.'.repeat(n * 10)}`)
const descriptor = (bytes: Uint8Array, mediaType = OCTETS) => ({ mediaType, digest: digestOf(bytes), size: bytes.length })
const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))
const image = (layers: readonly number[], more = {}) =>
  json({ schemaVersion: 2, mediaType: OCI_MANIFEST, config: descriptor(layer(0)), layers: layers.map((n) => descriptor(layer(n))), ...more })

/** A registry whose time the test makes, and whose every step `between` may hold up. */
async function registry(between: () => Promise<void> = async () => {}) {
  const clock = new TestClock()
  const held = await temporaryDatabase({ clock: { now: () => clock.now(), after: systemClock.after } })
  const { projectId } = await seed(held.db)
  const blobs = slow(slicedBlobStore(memoryObjectStore()), between)
  const metadata = slow(metadataStore(held.db, GRACE_MS), between)
  const index = slow(garbageIndex(held.db, GRACE_MS), between)
  const local = new LocalRegistry({ blobs, metadata, clock: systemClock, createHasher, newId: randomUUID })
  const collect = (options: Partial<CollectOptions> = {}) =>
    collectGarbage({
      index,
      blobs,
      clock,
      untagged: false,
      dryRun: false,
      strays: true,
      onProgress: async () => {},
      onFailure: (_, error) => expect.unreachable(String(error)),
      signal: new AbortController().signal,
      ...options,
    })
  return {
    clock,
    blobs,
    metadata,
    index,
    collect,
    db: held.db,
    used: async () => (await findProjectById(held.db, projectId))?.storageUsed,
    repository: (name = REPOSITORIES[0] ?? parseRepositoryName('team/a')) => local.as('user:1').repository(name),
    stored: async () => (await blobs.list({ limit: 1000 })).items,
    [Symbol.asyncDispose]: () => held[Symbol.asyncDispose](),
  }
}

/** Holds up each call before it does anything and after it has done it. */
function slow<T extends BlobStore | MetadataStore | object>(target: T, between: () => Promise<void>): T {
  return new Proxy(target, {
    get(object, key) {
      const method = Reflect.get(object, key)
      if (typeof method !== 'function') return method
      if (key === 'draft') return (id: string) => slow(method.call(object, id), between)
      return async (...args: unknown[]) => {
        await between()
        const result = await method.apply(object, args)
        await between()
        return result
      }
    },
  })
}

async function upload(repository: Repository, bytes: Uint8Array): Promise<void> {
  const { id } = await repository.uploads.begin()
  await repository.uploads.append(id, new Blob([bytes as Uint8Array<ArrayBuffer>]).stream())
  await repository.uploads.finish(id, digestOf(bytes))
}

/** As clients push: what is there is not sent again, what another repository has is mounted, and a refusal for now is tried again. */
async function push(repository: Repository, bytes: Uint8Array, tags: readonly Tag[], layers: readonly number[]): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      for (const n of [0, ...layers]) {
        const blob = layer(n)
        if ((await repository.blobs.stat(digestOf(blob))) !== undefined) continue
        const other = REPOSITORIES.find((name) => name !== repository.name)
        if (other !== undefined && n % 2 === 0 && (await repository.uploads.mount(digestOf(blob), other)) !== undefined) continue
        await upload(repository, blob)
      }
      await repository.manifests.put({ bytes, mediaType: OCI_MANIFEST, tags })
      return
    } catch (error) {
      if (!(error instanceof RegistryError && error.code === 'UNAVAILABLE') || attempt === 10) throw error
    }
  }
}

const readable = async (repository: Repository, n: number) => {
  const body = await repository.blobs.open(digestOf(layer(n)))
  return body?.stream === undefined
    ? undefined
    : new Uint8Array(await new Response(body.stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer())
}

const latest = parseTag('latest')

describe('collecting garbage', () => {
  it('takes what no manifest has named for the grace, and nothing one moment earlier', async () => {
    await using held = await registry()
    const repository = held.repository()
    const bytes = image([1, 2])
    await push(repository, bytes, [latest], [1, 2])
    await push(repository, image([2]), [parseTag('other')], [2])
    held.clock.advance(10 * HOUR)
    expect(await held.collect()).toMatchObject({ links: 0, blobs: 0 })
    await repository.manifests.delete(digestOf(bytes))
    held.clock.advance(GRACE_MS)
    expect(await held.collect()).toMatchObject({ links: 0, blobs: 0 })
    held.clock.advance(1)
    expect(await held.collect({ dryRun: true })).toMatchObject({ links: 1, blobs: 1, bytes: layer(1).length })
    expect(await held.collect()).toEqual({ manifests: 0, links: 1, strays: 0, blobs: 1, bytes: layer(1).length, failed: 0 })
    expect(new Set(await held.stored())).toEqual(new Set([0, 2].map((n) => digestOf(layer(n)))))
    expect(await held.used()).toBe(image([2]).length + layer(0).length + layer(2).length)
  })

  it('takes with them the place that nothing but they were in', async () => {
    await using held = await registry()
    const places = async () => (await held.db.read.sql.all<{ name: string }>('SELECT name FROM repositories')).map(({ name }) => name)
    await upload(held.repository(REPOSITORIES[0]), layer(1))
    await push(held.repository(REPOSITORIES[1]), image([2]), [latest], [2])
    await held.repository(REPOSITORIES[1]).manifests.delete(digestOf(image([2])))
    held.clock.advance(GRACE_MS + 1)
    expect(await places()).toEqual(REPOSITORIES)
    expect(await held.collect()).toMatchObject({ links: 3, blobs: 3 })
    // Somebody was told of the other one.
    expect(await places()).toEqual([REPOSITORIES[1]])
  })

  it('keeps for another grace what a pusher was told is there', async () => {
    await using held = await registry()
    const repository = held.repository()
    await upload(repository, layer(1))
    held.clock.advance(GRACE_MS * 3)
    expect(await repository.blobs.stat(digestOf(layer(1)))).toBeDefined()
    held.clock.advance(GRACE_MS / 2)
    expect(await held.collect()).toMatchObject({ links: 0, blobs: 0 })
    expect(await readable(repository, 1)).toEqual(layer(1))
    held.clock.advance(GRACE_MS + 1)
    expect(await held.collect()).toMatchObject({ links: 1, blobs: 1 })
    expect(await readable(repository, 1)).toBeUndefined()
  })

  it('takes manifests without a tag where it is asked to, but not what a tagged index or a subject keeps, and then what only they kept', async () => {
    await using held = await registry()
    const repository = held.repository()
    const [child, lone, loneChild] = [image([1]), image([2]), image([3])]
    for (const [bytes, n] of [
      [child, 1],
      [loneChild, 3],
      [lone, 2],
    ] as const)
      await push(repository, bytes, [], [n])
    const index = (of: Uint8Array) => json({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [descriptor(of, OCI_MANIFEST)] })
    await repository.manifests.put({ bytes: index(child), mediaType: OCI_INDEX, tags: [latest] })
    await repository.manifests.put({ bytes: index(loneChild), mediaType: OCI_INDEX, tags: [] })
    const signature = image([4], { subject: descriptor(child, OCI_MANIFEST) })
    await push(repository, signature, [], [4])
    held.clock.advance(GRACE_MS + 1)
    expect(await held.collect()).toMatchObject({ manifests: 0, links: 0 })
    expect(await held.collect({ untagged: true, dryRun: true })).toMatchObject({ manifests: 2 })
    expect(await held.collect({ untagged: true })).toMatchObject({ manifests: 3 })
    held.clock.advance(GRACE_MS + 1)
    expect(await held.collect()).toMatchObject({ links: 2, blobs: 2 })
    for (const n of [1, 4]) expect(await readable(repository, n)).toEqual(layer(n))
    for (const n of [2, 3]) expect(await readable(repository, n)).toBeUndefined()
  })

  it('finds bytes that nobody knows, and gives whoever is about to link them a grace', async () => {
    await using held = await registry()
    const draft = held.blobs.draft('abandoned')
    const writer = await draft.writer({ offset: 0 })
    await writer.write(layer(1))
    await writer.close()
    await draft.commit(digestOf(layer(1)))
    expect(await held.collect()).toMatchObject({ strays: 1, blobs: 0 })
    held.clock.advance(GRACE_MS - 1)
    expect(await held.collect()).toMatchObject({ strays: 0, blobs: 0 })
    held.clock.advance(1)
    expect(await held.collect()).toMatchObject({ strays: 0, blobs: 1 })
    expect(await held.stored()).toEqual([])
  })

  it('goes on where it was broken off, and leaves to another what it could not delete in its time', async () => {
    await using held = await registry()
    const repository = held.repository()
    for (const n of [1, 2, 3]) await upload(repository, layer(n))
    held.clock.advance(GRACE_MS + 1)
    const states: CollectState[] = []
    const broken = held.collect({
      onProgress: async (state) => {
        states.push(structuredClone(state))
        if (state.phase === 'blobs') throw new Error('the process ends here')
      },
    })
    await expect(broken).rejects.toThrow('the process ends here')
    // Claimed by a collector that is gone.
    const claimed = (await held.index.claim(2)).blobs.map(({ digest }) => digest)
    const n = [1, 2, 3].find((n) => claimed.includes(digestOf(layer(n)))) ?? 0
    expect(claimed).toHaveLength(2)
    await expect(upload(repository, layer(n))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(await held.collect({ from: states.at(-1) })).toMatchObject({ links: 3, blobs: 1 })
    held.clock.advance(CLAIM_OVER_MS + 1)
    // Its time is over, and a push does not wait for the next collection.
    await upload(repository, layer(n))
    expect(await held.collect()).toMatchObject({ blobs: 1 })
    expect(await held.stored()).toEqual([digestOf(layer(n))])
    expect(await readable(repository, n)).toEqual(layer(n))
  })

  it('refuses to link bytes that were collected after they were put where they are', async () => {
    await using held = await registry()
    const repository = held.repository()
    await upload(repository, layer(1))
    held.clock.advance(GRACE_MS + 1)
    const other = held.repository(REPOSITORIES[1])
    const blob = descriptor(layer(1))
    const reservation = await held.metadata.reserveBlob(blob.digest)
    expect(await held.collect()).toMatchObject({ blobs: 1 })
    await expect(held.metadata.linkBlob(other.name, blob, reservation, 'user:1')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    // Somebody who came after the collection put them there again.
    await upload(repository, layer(1))
    await held.metadata.linkBlob(other.name, blob, reservation, 'user:1')
    expect(await readable(other, 1)).toEqual(layer(1))
    const late = await held.metadata.reserveBlob(digestOf(layer(2)))
    held.clock.advance(GRACE_MS / 2 + 1)
    await expect(held.metadata.linkBlob(other.name, descriptor(layer(2)), late, 'user:1')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('stops where the store deletes nothing, and says so', async () => {
    await using held = await registry()
    await upload(held.repository(), layer(1))
    held.clock.advance(GRACE_MS + 1)
    const refused: Digest[] = []
    const blobs = {
      ...held.blobs,
      list: held.blobs.list.bind(held.blobs),
      delete: () => Promise.reject(new RegistryError('UNAVAILABLE', 'The store is away.')),
    }
    await expect(held.collect({ blobs, strays: false, onFailure: (digest) => refused.push(digest) })).rejects.toThrow('The store is away.')
    expect(refused).toEqual([digestOf(layer(1))])
  })

  it('loses nothing that was acknowledged and leaves nothing behind, however pushes, mounts, deletes and collectors fall between each other', async () => {
    const layers = fc.uniqueArray(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 2 })
    // Most of what is there at first is garbage by the time the race begins, and is pushed again in it.
    const old = fc.record({ at: fc.nat(1), layers, garbage: fc.boolean() })
    const pushes = fc.record({ kind: fc.constant('push' as const), at: fc.nat(1), layers })
    const deletes = fc.record({ kind: fc.constant('delete' as const), at: fc.nat(1), layers })
    const passing = fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 1, max: CLAIM_MS }) })
    const collecting = fc.record({ kind: fc.constant('collect' as const), untagged: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(
        fc.array(old, { minLength: 1, maxLength: 4 }),
        fc.array(fc.oneof({ weight: 4, arbitrary: pushes }, deletes, passing, { weight: 2, arbitrary: collecting }), { minLength: 3, maxLength: 8 }),
        fc.infiniteStream(fc.oneof(fc.nat(2), fc.nat(40))),
        async (before, meanwhile, waits) => {
          let racing = false
          const between = async () => {
            for (let turns = racing ? waits.next().value : 0; turns > 0; turns--) await new Promise<void>((resolve) => setImmediate(resolve))
          }
          await using held = await registry(between)
          const at = (n: number) => held.repository(REPOSITORIES[n])
          const keysOf = (kind: 'push' | 'delete') =>
            new Set(meanwhile.flatMap((command) => (command.kind === kind ? [`${command.at} ${digestOf(image(command.layers))}`] : [])))
          const pushedMeanwhile = keysOf('push')
          const acknowledged = new Map<string, { at: number; digest: Digest; layers: readonly number[] }>()
          const run = async (command: (typeof meanwhile)[number]): Promise<void> => {
            if (command.kind === 'time') {
              await between()
              held.clock.advance(command.ms)
            } else if (command.kind === 'collect') {
              await held.collect({ untagged: command.untagged })
            } else {
              const bytes = image(command.layers)
              const key = `${command.at} ${digestOf(bytes)}`
              if (command.kind === 'push') {
                await push(at(command.at), bytes, [latest, parseTag(`t${command.layers.join('-')}`)], command.layers)
                acknowledged.set(key, { at: command.at, digest: digestOf(bytes), layers: command.layers })
              } else {
                await at(command.at).manifests.delete(digestOf(bytes))
                // Which of the two came last is not known here, whichever of them was answered last.
                if (!racing || !pushedMeanwhile.has(key)) acknowledged.delete(key)
              }
            }
          }
          for (const { garbage, ...made } of before) {
            await run({ kind: 'push', ...made })
            if (garbage) await run({ kind: 'delete', ...made })
          }
          held.clock.advance(GRACE_MS + 1)
          racing = true
          // A delete beside a push of the same may come before or after it: what has both is not counted on.
          const raced = keysOf('delete')
          await Promise.all(meanwhile.map(run))
          racing = false

          const check = async () => {
            for (const [key, { at: where, digest, layers: named }] of acknowledged) {
              const there = (await at(where).manifests.get({ digest })) !== undefined
              if (!raced.has(key)) expect(there).toBe(true)
              if (there) for (const n of [0, ...named]) expect(await readable(at(where), n)).toEqual(layer(n))
            }
          }
          await check()
          for (let round = 0; round < 2; round++) {
            held.clock.advance(GRACE_MS + CLAIM_OVER_MS + 1)
            await held.collect()
          }
          await check()
          const left = new Set<Digest>()
          let bytes = 0
          const counted = new Set<string>()
          for (const [, { at: where, digest, layers: named }] of acknowledged) {
            const manifest = await at(where).manifests.get({ digest })
            if (manifest === undefined) continue
            for (const blob of [descriptor(manifest.bytes), ...[0, ...named].map((n) => descriptor(layer(n)))]) {
              if (blob.digest !== digest) left.add(blob.digest)
              if (!counted.has(blob.digest)) bytes += blob.size
              counted.add(blob.digest)
            }
          }
          expect(new Set(await held.stored())).toEqual(left)
          expect(await held.used()).toBe(bytes)
        },
      ),
      { numRuns: 150 },
    )
  }, 120_000)
})
