import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { parseDigest } from '../registry/spec/digests.ts'
import { parseManifest } from '../registry/spec/manifests.ts'
import { OCI_INDEX, OCI_MANIFEST } from '../registry/spec/media-types.ts'
import { parseRepositoryName, parseTag } from '../registry/spec/names.ts'
import { seed, temporaryDatabase } from '../test/support/database.ts'
import { deleteRepository } from './delete-repository.ts'
import { createImmutableRule, deleteImmutableRule, immutability, updateImmutableRule } from './immutable-rules.ts'
import { metadataStore } from './metadata-store.ts'

const app = parseRepositoryName('team/web/app')
const refused = { code: 'DENIED', status: 412, message: expect.stringContaining('is immutable') }
const config = { mediaType: 'application/x', digest: `sha256:${'a'.repeat(64)}`, size: 2 }
const selector = (pattern: string, excludes = false) => ({ pattern, excludes })

function manifest(n: number, ...tags: string[]) {
  const bytes = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [], n }))
  const digest = parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
  return {
    descriptor: { mediaType: OCI_MANIFEST, digest, size: bytes.length },
    bytes,
    parsed: parseManifest(bytes, OCI_MANIFEST),
    tags: tags.map(parseTag),
  }
}

async function opened() {
  const held = await temporaryDatabase()
  const { projectId } = await seed(held.db)
  const rule = { projectId, disabled: false, priority: 0, repositories: [selector('web/**')], tags: [selector('v*'), selector('*-rc*', true)] }
  return { ...held, projectId, rule, store: metadataStore(held.db) }
}

it('a tag that a rule names may be made, and then neither move nor go in any way', async () => {
  await using held = await opened()
  const { db, store, rule, projectId } = held
  const id = await createImmutableRule(db, rule, 'user:1')
  const [one, two] = [manifest(1, 'v1', 'latest', 'v1-rc2'), manifest(2, 'v1')]
  await store.putManifest(app, one, 'user:1')
  await store.putManifest(app, one, 'user:1')
  await expect(store.putManifest(app, two, 'user:1')).rejects.toMatchObject(refused)
  expect(await store.getManifest(app, { digest: two.descriptor.digest })).toBeUndefined()
  await expect(store.deleteTag(app, parseTag('v1'), 'user:1')).rejects.toMatchObject(refused)
  await expect(store.deleteManifest(app, one.descriptor.digest, 'user:1')).rejects.toMatchObject(refused)
  await expect(deleteRepository(db, app, 'user:1')).rejects.toMatchObject(refused)
  expect((await store.listTags(app, { limit: 10 })).items).toEqual(['latest', 'v1', 'v1-rc2'])

  await store.putManifest(app, manifest(3, 'latest', 'v1-rc2'), 'user:1')
  await store.putManifest(parseRepositoryName('team/other'), one, 'user:1')
  await store.putManifest(parseRepositoryName('team/other'), two, 'user:1')
  const isImmutable = await immutability(db.read, { projectId, name: app })
  expect(['v1', 'latest', 'v1-rc2'].map((tag) => isImmutable?.(tag))).toEqual([true, false, false])

  await updateImmutableRule(db, id, { ...rule, disabled: true }, 'user:1')
  await store.putManifest(app, two, 'user:1')
  await updateImmutableRule(db, id, rule, 'user:1')
  await expect(store.deleteTag(app, parseTag('v1'), 'user:1')).rejects.toMatchObject(refused)
  expect([await deleteImmutableRule(db, projectId + 1, id, 'user:1'), await deleteImmutableRule(db, projectId, id, 'user:1')]).toEqual([false, true])
  expect(await deleteRepository(db, app, 'user:1')).toBe(true)
})

it('neither does what an immutable tag leads to: the parts of an index, and layers', async () => {
  await using held = await opened()
  const { db, store, rule } = held
  await createImmutableRule(db, rule, 'user:1')
  const [child, other] = [manifest(1), manifest(2)]
  const blob = { ...config, digest: parseDigest(config.digest) }
  await store.linkBlob(app, blob, await store.reserveBlob(blob.digest), 'user:1')
  for (const one of [child, other]) await store.putManifest(app, one, 'user:1')
  const bytes = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [child.descriptor] }))
  const digest = parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
  const index = {
    descriptor: { mediaType: OCI_INDEX, digest, size: bytes.length },
    bytes,
    parsed: parseManifest(bytes, OCI_INDEX),
    tags: [parseTag('v1')],
  }
  await store.putManifest(app, index, 'user:1')
  await expect(store.deleteManifest(app, child.descriptor.digest, 'user:1')).rejects.toMatchObject(refused)
  await expect(store.unlinkBlob(app, blob.digest, 'user:1')).rejects.toMatchObject(refused)
  expect(await store.deleteManifest(app, other.descriptor.digest, 'user:1')).toBe(true)
  expect(await store.statBlob(app, blob.digest)).toBeDefined()
})
