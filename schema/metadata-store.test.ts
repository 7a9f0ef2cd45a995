import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { MetadataStore } from '../registry/metadata-store.ts'
import { type Digest, parseDigest } from '../registry/spec/digests.ts'
import { parseManifest } from '../registry/spec/manifests.ts'
import { OCI_INDEX, OCI_MANIFEST } from '../registry/spec/media-types.ts'
import { parseRepositoryName, parseTag, type RepositoryName, type Tag } from '../registry/spec/names.ts'
import { TestClock } from '../test/support/clock.ts'
import { seed, temporaryDatabase } from '../test/support/database.ts'
import { headOfChanges, readChanges } from './changes.ts'
import type { Database } from './database.ts'
import { deleteRepository } from './delete-repository.ts'
import { PENDING_LEAST } from './limits.ts'
import { recountProject } from './metadata/recount.ts'
import { metadataStore } from './metadata-store.ts'
import { createProject, deleteProject, findProjectById } from './projects.ts'
import { findRepositorySummary, listRepositorySummaries } from './repositories.ts'
import { readStatistics } from './statistics.ts'

const digestOf = (bytes: Uint8Array | string) => parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
const name = parseRepositoryName
const tag = parseTag
const app = name('team/app')
const ALL = { limit: 1000 }

function manifest(n: number, tags: readonly Tag[] = [], subject?: Digest) {
  const descriptor = (text: string) => ({ mediaType: 'application/x', digest: digestOf(text), size: text.length })
  const bytes = new TextEncoder().encode(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      artifactType: `type/${n % 2}`,
      config: descriptor(`config ${n}`),
      layers: [descriptor(`layer ${n}`)],
      ...(subject && { subject: { mediaType: OCI_MANIFEST, digest: subject, size: 1 } }),
      annotations: { n: String(n) },
    }),
  )
  return {
    descriptor: { mediaType: OCI_MANIFEST, digest: digestOf(bytes), size: bytes.byteLength },
    bytes,
    parsed: parseManifest(bytes, OCI_MANIFEST),
    tags,
  }
}

async function opened(options: { storageLimit?: number } = {}) {
  const clock = new TestClock()
  const held = await temporaryDatabase({ clock })
  const { projectId, userId } = await seed(held.db, options)
  return { ...held, clock, projectId, userId, store: metadataStore(held.db), from: await headOfChanges(held.db) }
}

/** As an upload does it. */
async function link(store: MetadataStore, repository: RepositoryName, blob: { readonly digest: Digest; readonly size: number }): Promise<void> {
  await store.linkBlob(repository, blob, await store.reserveBlob(blob.digest), 'user:1')
}

const used = async (db: Database, id: number) => (await findProjectById(db, id))?.storageUsed
const pending = async (db: Database) =>
  (await db.read.sql.all<{ pending: number }>('SELECT storage_pending AS pending FROM projects')).reduce((sum, row) => sum + row.pending, 0)

interface Blob {
  readonly digest: Digest
  readonly size: number
}

/** A manifest of just these blobs. */
function naming(blobs: readonly [Blob, ...Blob[]], tags: readonly Tag[] = []) {
  const [config, ...layers] = blobs.map((blob) => ({ mediaType: 'application/x', ...blob }))
  const bytes = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers }))
  return {
    descriptor: { mediaType: OCI_MANIFEST, digest: digestOf(bytes), size: bytes.byteLength },
    bytes,
    parsed: parseManifest(bytes, OCI_MANIFEST),
    tags,
  }
}

describe('the metadata store', () => {
  it('gives a manifest with its very bytes, by digest and by tag', async () => {
    await using held = await opened()
    const one = manifest(1, [tag('latest'), tag('v1')])
    await held.store.putManifest(app, one, 'user:1')
    for (const reference of [{ digest: one.descriptor.digest }, { tag: tag('v1') }]) {
      expect(await held.store.statManifest(app, reference)).toEqual({ descriptor: one.descriptor })
      expect(await held.store.getManifest(app, reference)).toEqual({ descriptor: one.descriptor, bytes: one.bytes })
    }
    expect(await held.store.getManifest(name('team/other'), { digest: one.descriptor.digest })).toBeUndefined()
    expect(await held.store.getManifest(app, { tag: tag('LATEST') })).toBeUndefined()
  })

  it('refuses what has no project, with 404, and keeps nothing of it', async () => {
    await using held = await opened()
    const refused = { code: 'NAME_UNKNOWN', status: 404 }
    await expect(held.store.putManifest(name('nobody/app'), manifest(1), 'user:1')).rejects.toMatchObject(refused)
    await expect(link(held.store, name('nobody/app'), { digest: digestOf('x'), size: 1 })).rejects.toMatchObject(refused)
    await expect(held.store.createUpload(name('nobody/app'), { id: 'u', algorithm: 'sha256' }, 'user:1')).rejects.toMatchObject(refused)
    expect(await held.store.repositories(ALL)).toEqual({ items: [], more: false })
    expect(await headOfChanges(held.db)).toBe(held.from)
  })

  it('tells of each change once, and nothing of what changes nothing', async () => {
    await using held = await opened()
    const { store, db } = held
    const one = manifest(1, [tag('latest')])
    const two = manifest(2, [tag('latest')])
    const blob = { digest: digestOf('blob'), size: 4 }
    await link(store, app, blob)
    for (let i = 0; i < 3; i++) await store.putManifest(app, one, 'user:1')
    await store.putManifest(app, two, 'user:2')
    await store.putManifest(app, two, 'user:1')
    await link(store, app, blob)
    expect(await store.deleteManifest(app, two.descriptor.digest, 'user:3')).toBe(true)
    expect(await store.deleteManifest(app, two.descriptor.digest, 'user:3')).toBe(false)
    expect(await store.deleteTag(app, tag('latest'), 'user:3')).toBe(false)
    expect(await store.unlinkBlob(app, blob.digest, 'user:3')).toBe(true)
    expect(await store.unlinkBlob(app, blob.digest, 'user:3')).toBe(false)
    const told = (await readChanges(db, held.from, 100)).map(({ actor, kind, subject, before, after }) => ({ actor, kind, subject, before, after }))
    const [first, second] = [one.descriptor.digest, two.descriptor.digest]
    expect(told).toEqual([
      { actor: 'user:1', kind: 'manifest.put', subject: `team/app@${first}`, before: null, after: first },
      { actor: 'user:1', kind: 'tag.set', subject: 'team/app:latest', before: null, after: first },
      { actor: 'user:2', kind: 'manifest.put', subject: `team/app@${second}`, before: null, after: second },
      { actor: 'user:2', kind: 'tag.set', subject: 'team/app:latest', before: first, after: second },
      { actor: 'user:3', kind: 'tag.deleted', subject: 'team/app:latest', before: second, after: null },
      { actor: 'user:3', kind: 'manifest.deleted', subject: `team/app@${second}`, before: second, after: null },
      { actor: 'user:3', kind: 'blob.unlinked', subject: `team/app@${blob.digest}`, before: blob.digest, after: null },
    ])
  })

  it('lets a child of an index be deleted, and lists parents no more once they go', async () => {
    await using held = await opened()
    const child = manifest(1)
    const bytes = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [child.descriptor] }))
    const index = {
      descriptor: { mediaType: OCI_INDEX, digest: digestOf(bytes), size: bytes.byteLength },
      bytes,
      parsed: parseManifest(bytes, OCI_INDEX),
      tags: [],
    }
    await held.store.putManifest(app, child, 'user:1')
    await held.store.putManifest(app, index, 'user:1')
    expect(await held.store.deleteManifest(app, child.descriptor.digest, 'user:1')).toBe(true)
    expect(await held.store.getManifest(app, { digest: index.descriptor.digest })).toBeDefined()
    expect(await held.store.deleteManifest(app, index.descriptor.digest, 'user:1')).toBe(true)
    expect(await used(held.db, held.projectId)).toBe(0)
  })

  it('counts a blob once in a project and gives it back with its last link; a condemned one lives again', async () => {
    await using held = await opened()
    const { store, db, projectId } = held
    const blob = { digest: digestOf('blob'), size: 100 }
    const condemned = async () => (await db.read.sql.all<{ condemned_at: number | null }>('SELECT condemned_at FROM blobs'))[0]?.condemned_at
    await link(store, app, blob)
    await link(store, name('team/second'), blob)
    expect([await used(db, projectId), await pending(db)]).toEqual([0, 200])
    const { descriptor, ...rest } = naming([blob])
    for (const at of [app, name('team/second')]) await store.putManifest(at, { descriptor, ...rest }, 'user:1')
    expect([await used(db, projectId), await pending(db)]).toEqual([100 + descriptor.size, 0])
    for (const at of [app, name('team/second')]) await store.deleteManifest(at, descriptor.digest, 'user:1')
    expect(await used(db, projectId)).toBe(100)
    expect([...(await store.repositoriesWithBlob(blob.digest, 10))].sort()).toEqual(['team/app', 'team/second'])
    expect(await store.repositoriesWithBlob(blob.digest, 1)).toHaveLength(1)
    await store.unlinkBlob(app, blob.digest, 'user:1')
    expect(await used(db, projectId)).toBe(100)
    expect(await store.statBlob(app, blob.digest)).toBeUndefined()
    expect(await condemned()).toBeNull()
    await store.unlinkBlob(name('team/second'), blob.digest, 'user:1')
    expect(await used(db, projectId)).toBe(0)
    expect(await condemned()).toBeTypeOf('number')
    await link(store, app, blob)
    expect(await condemned()).toBeNull()
  })

  it('lets as many pushes in as a quota has room for, never one more or one less, however many come at once', async () => {
    const images = Array.from({ length: 64 }, (_, i) => {
      const blobs = [60, 40].map((size, part) => ({ digest: digestOf(`${i} ${part}`), size })) as [Blob, Blob]
      return { at: name(`team/app${i % 7}`), blobs, manifest: naming(blobs) }
    })
    const each = 100 + (images[0]?.manifest.descriptor.size ?? 0)
    await using held = await opened({ storageLimit: 10 * each })
    const { store, db, projectId } = held
    // Blobs first, all of them: those who lose take no room from those who win.
    const results = await Promise.allSettled(
      images.map(async ({ at, blobs, manifest }) => {
        for (const blob of blobs) await link(store, at, blob)
        await store.putManifest(at, manifest, 'user:1')
      }),
    )
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(10)
    const refused = results.find((result) => result.status === 'rejected')?.reason
    expect(refused).toMatchObject({
      code: 'DENIED',
      status: 403,
      message: expect.stringMatching(/^denied: quota of project team exceeded: asked \d+, used \d+, allowed \d+ bytes$/),
    })
    expect(await used(db, projectId)).toBe(10 * each)
    await expect(link(store, app, { digest: digestOf('one more'), size: 1 })).rejects.toMatchObject({
      message: `denied: quota of project team exceeded: asked 1, used ${10 * each}, allowed ${10 * each} bytes`,
    })
    await expect(store.putManifest(app, manifest(1, [tag('a')]), 'user:1')).rejects.toMatchObject({ code: 'DENIED' })
    expect(await store.listTags(app, ALL)).toEqual({ items: [], more: false })
  })

  it('bounds what pushes in progress may hold of a project with a quota', async () => {
    await using held = await opened({ storageLimit: 1000 })
    const { store, db, projectId } = held
    const large = { digest: digestOf('large'), size: 1001 }
    await expect(link(store, app, large)).rejects.toMatchObject({ detail: { asked: 1001, used: 0, allowed: 1000 } })
    await db.write(({ sql }) => sql.run(`UPDATE projects SET storage_pending = ${PENDING_LEAST - 50} WHERE id = ${projectId}`))
    await link(store, app, { digest: digestOf('a'), size: 50 })
    await expect(link(store, app, { digest: digestOf('b'), size: 1 })).rejects.toThrow(/pushes in progress/)
  })

  it('pages through 10,000 tags by their bytes, without a gap or a repetition', async () => {
    await using held = await opened()
    const { store } = held
    const letters = ['A', 'B', 'a', 'b', '_', '0', 'Z']
    const tags = Array.from({ length: 10_000 }, (_, i) => tag(`${letters[i % letters.length]}${(i * 7919) % 10_007}.x-${i % 13}`))
    await store.putManifest(app, manifest(1, tags), 'user:1')
    const seen: string[] = []
    for (let last: string | undefined; ; last = seen.at(-1)) {
      const page = await store.listTags(app, { limit: 997, ...(last !== undefined && { last }) })
      seen.push(...page.items)
      if (!page.more) break
    }
    expect(seen).toEqual([...new Set(tags)].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
    expect(await store.listTags(app, { limit: 0 })).toEqual({ items: [], more: false })
    expect(await store.deleteManifest(app, manifest(1).descriptor.digest, 'user:1')).toBe(true)
    expect(await store.listTags(app, ALL)).toEqual({ items: [], more: false })
  }, 120_000)

  it('keeps an upload for its repository only', async () => {
    await using held = await opened()
    const { store } = held
    await store.createUpload(app, { id: 'u1', algorithm: 'sha512' }, 'user:1')
    expect(await store.findUpload(app, 'u1')).toEqual({ id: 'u1', algorithm: 'sha512' })
    expect(await store.findUpload(name('team/other'), 'u1')).toBeUndefined()
    expect(await store.deleteUpload(name('team/other'), 'u1')).toBe(false)
    expect(await store.deleteUpload(app, 'u1')).toBe(true)
    expect(await store.deleteUpload(app, 'u1')).toBe(false)
    expect(await store.repositoryExists(app)).toBe(false)
  })

  it('tells of a repository from its first artifact on, and until its deletion', async () => {
    await using held = await opened()
    const { store, db, projectId } = held
    const blob = { digest: digestOf('ahead'), size: 5 }
    const shown = async () => {
      const project = await findProjectById(db, projectId)
      const { total } = await listRepositorySummaries(db, { projectId }, { page: 1, pageSize: 10 })
      const { repositories } = await readStatistics(db, undefined)
      return [total, project?.repositoryCount, repositories.total, (await store.repositories(ALL)).items.length]
    }
    await link(store, app, blob)
    expect(await store.statBlob(app, blob.digest)).toEqual({ size: 5 })
    expect(await store.repositoryExists(app)).toBe(false)
    expect(await findRepositorySummary(db, app)).toBeUndefined()
    expect(await deleteRepository(db, app, 'user:1')).toBe(false)
    expect(await shown()).toEqual([0, 0, 0, 0])
    held.clock.advance(60_000)
    await store.putManifest(app, naming([blob]), 'user:1')
    expect(await findRepositorySummary(db, app)).toMatchObject({ createdAt: held.clock.now(), artifactCount: 1 })
    expect(await shown()).toEqual([1, 1, 1, 1])
    // One that is empty again is still told of, as Harbor does.
    await store.deleteManifest(app, naming([blob]).descriptor.digest, 'user:1')
    expect(await shown()).toEqual([1, 1, 1, 1])
    await expect(deleteProject(db, projectId, 'user:1')).rejects.toMatchObject({ status: 412 })
    expect(await deleteRepository(db, app, 'user:1')).toBe(true)
    expect(await shown()).toEqual([0, 0, 0, 0])
  })

  it('lets a project go with what pushes sent ahead, and its name begins anew', async () => {
    await using held = await opened()
    const { store, db, projectId } = held
    const blob = { digest: digestOf('ahead'), size: 5 }
    await link(store, app, blob)
    await deleteProject(db, projectId, 'user:1')
    expect(await store.statBlob(app, blob.digest)).toBeUndefined()
    expect(await db.read.sql.all(`SELECT digest FROM blobs WHERE condemned_at IS NOT NULL`)).toEqual([{ digest: blob.digest }])
    await expect(store.putManifest(app, manifest(1), 'user:1')).rejects.toMatchObject({ code: 'NAME_UNKNOWN' })
    const again = await createProject(db, { name: 'team', ownerId: held.userId, public: false }, 'user:1')
    await store.putManifest(app, manifest(1), 'user:1')
    expect(await findRepositorySummary(db, app)).toMatchObject({ projectId: again.id })
    expect(await used(db, again.id)).toBe(manifest(1).descriptor.size)
  })

  it('gives everything back when a repository is deleted', async () => {
    await using held = await opened()
    const { store, db } = held
    const [named, begun] = [10, 7].map((size) => ({ digest: digestOf(`b${size}`), size })) as [Blob, Blob]
    for (const blob of [named, begun]) await link(store, app, blob)
    await store.putManifest(app, manifest(1, [tag('a'), tag('b')]), 'user:1')
    await store.putManifest(app, naming([named]), 'user:1')
    expect([await used(db, held.projectId), await pending(db)]).toEqual([10 + manifest(1).descriptor.size + naming([named]).descriptor.size, 7])
    await store.putManifest(name('team/other'), manifest(1), 'user:1')
    const before = await headOfChanges(db)
    expect(await deleteRepository(db, app, 'user:1')).toBe(true)
    expect(await deleteRepository(db, app, 'user:1')).toBe(false)
    expect(await readChanges(db, before, 10)).toMatchObject([{ kind: 'repository.deleted', subject: 'team/app' }])
    expect([await used(db, held.projectId), await pending(db)]).toEqual([manifest(1).descriptor.size, 0])
    expect(await store.getManifest(name('team/other'), { digest: manifest(1).descriptor.digest })).toBeDefined()
  })
})

describe('as a model', () => {
  const NAMES = ['team/a', 'team/b', 'team/a/b'].map(name)
  const TAGS = ['latest', 'v1', 'V1', '_'].map(tag)

  interface Model {
    readonly manifests: Map<RepositoryName, Map<number, true>>
    readonly tags: Map<RepositoryName, Map<Tag, number>>
    /** Each with whether the quota has it; they make no repository. */
    readonly blobs: Map<RepositoryName, Map<number, boolean>>
  }
  interface Real {
    readonly db: Database
    readonly store: MetadataStore
    readonly projectId: number
  }
  // What the manifest of that number names as its layer.
  const blobOf = (n: number) => ({ digest: digestOf(`layer ${n}`), size: `layer ${n}`.length })
  const isCounted = (model: Model, n: number) => [...model.blobs.values()].some((blobs) => blobs.get(n) === true)
  // 2 and 3 are referrers of 0, whether or not that one is there.
  const made = [0, 1, 2, 3].map((n) => manifest(n, [], n >= 2 ? manifest(0).descriptor.digest : undefined))
  const of = (n: number) => {
    const found = made[n]
    if (found === undefined) throw new RangeError(`no manifest ${n}`)
    return found
  }
  const digest = (n: number) => of(n).descriptor.digest
  const exists = (model: Model, repository: RepositoryName) => model.manifests.has(repository)
  const touch = (model: Model, repository: RepositoryName) => {
    if (exists(model, repository)) return
    model.manifests.set(repository, new Map())
    model.tags.set(repository, new Map())
  }

  async function check(model: Model, { db, store, projectId }: Real): Promise<void> {
    expect((await store.repositories(ALL)).items).toEqual([...model.manifests.keys()].sort())
    let bytes = 0
    const manifestsOfProject = new Set<number>()
    const blobsOfProject = new Set<number>()
    let begun = 0
    for (const repository of NAMES) {
      expect(await store.repositoryExists(repository)).toBe(exists(model, repository))
      const tags = model.tags.get(repository) ?? new Map<Tag, number>()
      expect((await store.listTags(repository, ALL)).items).toEqual([...tags.keys()].sort())
      for (const [tag, n] of tags) expect((await store.statManifest(repository, { tag }))?.descriptor.digest).toBe(digest(n))
      for (let n = 0; n < made.length; n++) {
        const has = model.manifests.get(repository)?.has(n) ?? false
        expect((await store.getManifest(repository, { digest: digest(n) }))?.bytes).toEqual(has ? of(n).bytes : undefined)
        if (has) manifestsOfProject.add(n)
        const counted = model.blobs.get(repository)?.get(n)
        expect(await store.statBlob(repository, blobOf(n).digest)).toEqual(counted === undefined ? undefined : { size: blobOf(n).size })
        if (counted === true) blobsOfProject.add(n)
        if (counted === false) begun += blobOf(n).size
      }
      const referrers = [2, 3].filter((n) => model.manifests.get(repository)?.has(n))
      const listed = await store.listReferrers(repository, digest(0), { page: ALL })
      expect(listed.items.map((item) => item.digest)).toEqual(referrers.map(digest).sort())
      const typed = await store.listReferrers(repository, digest(0), { artifactType: 'type/1', page: ALL })
      expect(typed.items.map((item) => item.annotations)).toEqual(referrers.filter((n) => n === 3).map((n) => ({ n: String(n) })))
    }
    for (const n of manifestsOfProject) bytes += of(n).descriptor.size
    for (const n of blobsOfProject) bytes += blobOf(n).size
    expect([await used(db, projectId), await pending(db)]).toEqual([bytes, begun])
  }

  const repository = fc.constantFrom(...NAMES)
  const n = fc.integer({ min: 0, max: 3 })
  const command = (label: string, run: (model: Model, real: Real) => Promise<void>): fc.AsyncCommand<Model, Real> => ({
    check: () => true,
    run: async (model, real) => {
      await run(model, real)
      await check(model, real)
    },
    toString: () => label,
  })
  const commands = fc.commands(
    [
      fc.tuple(repository, n, fc.uniqueArray(fc.constantFrom(...TAGS))).map(([at, n, tags]) =>
        command(`put ${at} ${n} ${tags}`, async (model, { store }) => {
          await store.putManifest(at, { ...of(n), tags }, 'user:1')
          touch(model, at)
          model.manifests.get(at)?.set(n, true)
          if (model.blobs.get(at)?.has(n)) model.blobs.get(at)?.set(n, true)
          for (const tag of tags) model.tags.get(at)?.set(tag, n)
        }),
      ),
      fc.tuple(repository, n).map(([at, n]) =>
        command(`delete ${at} ${n}`, async (model, { store }) => {
          const there = model.manifests.get(at)?.has(n) ?? false
          expect(await store.deleteManifest(at, digest(n), 'user:1')).toBe(there)
          // What refers to it goes with it.
          const going = there ? (n === 0 ? [0, 2, 3] : [n]) : []
          for (const one of going) model.manifests.get(at)?.delete(one)
          for (const [tag, pointed] of model.tags.get(at) ?? []) if (going.includes(pointed)) model.tags.get(at)?.delete(tag)
        }),
      ),
      fc.tuple(repository, fc.constantFrom(...TAGS)).map(([at, tag]) =>
        command(`untag ${at} ${tag}`, async (model, { store }) => {
          expect(await store.deleteTag(at, tag, 'user:1')).toBe(model.tags.get(at)?.delete(tag) ?? false)
        }),
      ),
      fc.tuple(repository, n).map(([at, n]) =>
        command(`link ${at} ${n}`, async (model, { store }) => {
          await link(store, at, blobOf(n))
          const blobs = model.blobs.get(at) ?? new Map<number, boolean>()
          model.blobs.set(at, blobs)
          if (blobs.has(n)) return
          blobs.set(n, isCounted(model, n) || (model.manifests.get(at)?.has(n) ?? false))
        }),
      ),
      fc.tuple(repository, n).map(([at, n]) =>
        command(`unlink ${at} ${n}`, async (model, { store }) => {
          expect(await store.unlinkBlob(at, blobOf(n).digest, 'user:1')).toBe(model.blobs.get(at)?.delete(n) ?? false)
        }),
      ),
      fc.nat(1_000).map((wrong) =>
        command(`recount ${wrong}`, async (_model, { db, projectId }) => {
          await db.write(({ sql }) => sql.run(`UPDATE projects SET storage_used = ${wrong}, storage_pending = ${wrong}`))
          expect(await recountProject(db, projectId, 'user:1')).toMatchObject({ before: wrong })
        }),
      ),
      repository.map((at) =>
        command(`drop ${at}`, async (model, { db }) => {
          expect(await deleteRepository(db, at, 'user:1')).toBe(exists(model, at))
          // Blobs that no manifest followed are not there for anybody to delete.
          if (!exists(model, at)) return
          for (const kind of [model.manifests, model.tags, model.blobs]) kind.delete(at)
        }),
      ),
    ],
    { maxCommands: 30 },
  )

  it('behaves like maps, whatever is done in whatever order, and its quota is their sum', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(commands, async (list) => {
        await using held = await opened()
        await fc.asyncModelRun(() => ({ model: { manifests: new Map(), tags: new Map(), blobs: new Map() }, real: held }), list)
      }),
      { numRuns: 25 },
    )
  })
})
