import { expect, it } from 'vitest'
import type { Digest } from '../registry/spec/digests.ts'
import { parseDigest } from '../registry/spec/digests.ts'
import { parseRepositoryName, parseTag } from '../registry/spec/names.ts'
import { seed, temporaryDatabase } from '../test/support/database.ts'
import { deleteArtifact } from './delete-artifact.ts'
import { createImmutableRule } from './immutable-rules.ts'
import { metadataStore } from './metadata-store.ts'

const ME = 'user:1'
const app = parseRepositoryName('team/app')
const numbered = (n: number) => parseDigest(`sha256:${n.toString(16).padStart(64, '0')}`)

interface More {
  readonly children?: readonly number[]
  readonly subject?: number
}

async function repository() {
  const held = await temporaryDatabase()
  await seed(held.db)
  const { db } = held
  const store = metadataStore(db)
  return {
    db,
    put: (n: number, tags: readonly string[] = [], { children = [], subject }: More = {}) => {
      const named = (each: number) => ({ mediaType: 'application/x', digest: numbered(each), size: 2 })
      const parsed = {
        mediaType: 'application/x',
        blobs: [],
        manifests: children.map(named),
        ...(subject !== undefined && { subject: named(subject) }),
      }
      const descriptor = { mediaType: 'application/x', digest: numbered(n), size: 2 }
      return store.putManifest(app, { descriptor, bytes: new Uint8Array([1, n]), parsed, tags: tags.map(parseTag) }, ME)
    },
    left: async (upTo: number) => {
      const there: number[] = []
      for (let n = 1; n <= upTo; n++) if ((await store.statManifest(app, { digest: numbered(n) })) !== undefined) there.push(n)
      return there
    },
    remove: (n: number) => deleteArtifact(db, app, numbered(n), ME),
    /** As a request under /v2 does. */
    removeByRegistry: (n: number) => store.deleteManifest(app, numbered(n), ME),
    [Symbol.asyncDispose]: () => held[Symbol.asyncDispose](),
  }
}

const besides = (digest: Digest, suffix: string) => `${digest.replace(':', '-')}.${suffix}`

it('what is there for an artifact alone goes with it: its tags, what is signed of it, and what is signed of that', async () => {
  await using team = await repository()
  await team.put(1, ['v1', 'latest'])
  await team.put(2, [], { subject: 1 })
  await team.put(3, [], { subject: 2 })
  await team.put(4, [besides(numbered(1), 'sig')])
  await team.put(5, ['other'])
  expect(await team.remove(1)).toBe('deleted')
  expect(await team.left(5)).toEqual([5])
  expect(await team.remove(1)).toBe('unknown')
})

it('children of an index go with it, but for those with a tag or another index; and none goes before it', async () => {
  await using team = await repository()
  for (const n of [1, 2]) await team.put(n)
  await team.put(3, ['arm64'])
  await team.put(4)
  await team.put(5, ['one'], { children: [1, 2, 3] })
  await team.put(6, ['two'], { children: [2, 4] })
  await team.put(7, [], { subject: 1 })
  await team.put(8, [], { subject: 3 })
  expect(await team.remove(1)).toEqual({ named: numbered(5) })
  expect(await team.remove(5)).toBe('deleted')
  // 2 is the other index's still, 3 has its own name and what is signed of it.
  expect(await team.left(8)).toEqual([2, 3, 4, 6, 8])
  expect(await team.remove(6)).toBe('deleted')
  expect(await team.left(8)).toEqual([3, 8])
})

it('by the registry the same goes, and a child before its index too', async () => {
  await using team = await repository()
  for (const n of [1, 2]) await team.put(n)
  await team.put(3, ['v1'], { children: [1, 2] })
  await team.put(4, [], { subject: 1 })
  await team.put(5, ['said'], { subject: 3 })
  expect(await team.removeByRegistry(1)).toBe(true)
  expect(await team.left(5)).toEqual([2, 3, 5])
  expect(await team.removeByRegistry(3)).toBe(true)
  expect(await team.left(5)).toEqual([])
  expect(await team.removeByRegistry(2)).toBe(false)
})

it('an index of indexes goes with a child that two of them name', async () => {
  await using team = await repository()
  await team.put(1)
  await team.put(2, [], { children: [1] })
  await team.put(3, [], { children: [1] })
  await team.put(4, ['all'], { children: [2, 3] })
  expect(await team.remove(4)).toBe('deleted')
  expect(await team.left(4)).toEqual([])
})

it('a tag that may not go keeps everything', async () => {
  await using team = await repository()
  await team.put(1, ['v1'])
  await team.put(2, [besides(numbered(1), 'sig')])
  await createImmutableRule(
    team.db,
    { projectId: 1, disabled: false, priority: 0, repositories: [{ pattern: '**', excludes: false }], tags: [{ pattern: '*.sig', excludes: false }] },
    ME,
  )
  await expect(team.remove(1)).rejects.toMatchObject({ code: 'DENIED' })
  expect(await team.left(2)).toEqual([1, 2])
})
