import { and, eq, inArray, sql as raw } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import type { Actor, ManifestRecord } from '../../registry/metadata-store.ts'
import type { Manifest, ManifestHead } from '../../registry/registry.ts'
import type { Descriptor } from '../../registry/spec/descriptors.ts'
import type { Digest } from '../../registry/spec/digests.ts'
import type { Reference, RepositoryName, Tag } from '../../registry/spec/names.ts'
import { artifactKind } from '../artifact-kind.ts'
import { tell, tellAll } from '../changes.ts'
import type { WriteConnection } from '../connection.ts'
import type { Database } from '../database.ts'
import { INSERT_ROWS } from '../limits.ts'
import { repositoryBlobs } from '../tables/blobs.ts'
import { manifestContents, manifestReferences, manifests, repositories, tags } from '../tables/repositories.ts'
import { charge, refund, settleCharge } from './quota.ts'
import { enlist, ensureRepository, type RepositoryRow } from './repositories.ts'
import { digestsBeside, standAgain } from './standing.ts'
import { setTag } from './tags.ts'

/** What the audit log says of the tags that come with a manifest. */
export const PUSHED = { resourceType: 'artifact', operation: 'create' } as const

const head = { mediaType: manifests.mediaType, digest: manifests.digest, size: manifests.size }
const content = { ...head, bytes: manifestContents.bytes }
const inRepository = and(eq(manifests.repositoryId, repositories.id), eq(manifests.digest, raw.placeholder('digest')))
const tagInRepository = and(eq(tags.repositoryId, repositories.id), eq(tags.name, raw.placeholder('tag')))
const ofTag = and(eq(manifests.repositoryId, tags.repositoryId), eq(manifests.digest, tags.digest))
const named = eq(repositories.name, raw.placeholder('name'))

const reads = (sql: LibSQLDatabase) => ({
  statByDigest: sql.select(head).from(repositories).innerJoin(manifests, inRepository).where(named).prepare(),
  statByTag: sql.select(head).from(repositories).innerJoin(tags, tagInRepository).innerJoin(manifests, ofTag).where(named).prepare(),
  getByDigest: sql
    .select(content)
    .from(repositories)
    .innerJoin(manifests, inRepository)
    .innerJoin(manifestContents, eq(manifestContents.digest, manifests.digest))
    .where(named)
    .prepare(),
  getByTag: sql
    .select(content)
    .from(repositories)
    .innerJoin(tags, tagInRepository)
    .innerJoin(manifests, ofTag)
    .innerJoin(manifestContents, eq(manifestContents.digest, manifests.digest))
    .where(named)
    .prepare(),
})

/** Lists that are given as JSON, for statements that are made once. */
const IDS = raw`(SELECT value FROM json_each(${raw.placeholder('ids')}))`
const DIGESTS = raw`(SELECT value FROM json_each(${raw.placeholder('digests')}))`

const writes = (sql: LibSQLDatabase) => ({
  find: sql
    .select({ id: manifests.id, size: manifests.size })
    .from(manifests)
    .where(and(eq(manifests.repositoryId, raw.placeholder('repositoryId')), eq(manifests.digest, raw.placeholder('digest'))))
    .prepare(),
  inProject: sql
    .selectDistinct({ digest: manifests.digest })
    .from(manifests)
    .where(and(eq(manifests.projectId, raw.placeholder('projectId')), inArray(manifests.digest, DIGESTS)))
    .prepare(),
  dropContents: sql
    .delete(manifestContents)
    .where(and(inArray(manifestContents.digest, DIGESTS), raw`NOT EXISTS (SELECT 1 FROM manifests m WHERE m.digest = ${manifestContents}.digest)`))
    .prepare(),
  addContent: sql
    .insert(manifestContents)
    .values({ digest: raw.placeholder('digest'), bytes: raw.placeholder('bytes') })
    .onConflictDoNothing()
    .prepare(),
  add: sql
    .insert(manifests)
    .values({
      repositoryId: raw.placeholder('repositoryId'),
      projectId: raw.placeholder('projectId'),
      digest: raw.placeholder('digest'),
      mediaType: raw.placeholder('mediaType'),
      artifactType: raw.placeholder('artifactType'),
      configMediaType: raw.placeholder('configMediaType'),
      kind: raw.placeholder('kind'),
      size: raw.placeholder('size'),
      totalSize: raw.placeholder('totalSize'),
      subject: raw.placeholder('subject'),
      top: raw`${raw.placeholder('subject')} IS NULL AND (${raw.placeholder('tagged')} OR NOT EXISTS (SELECT 1 FROM manifest_references p
        WHERE p.repository_id = ${raw.placeholder('repositoryId')} AND p.digest = ${raw.placeholder('digest')} AND p.kind = 'manifest'))`,
      tagged: raw`${raw.placeholder('tagged')}`,
      annotations: raw.placeholder('annotations'),
      pusher: raw.placeholder('pusher'),
      pushedAt: raw.placeholder('pushedAt'),
    })
    .returning({ id: manifests.id })
    .prepare(),
  letGo: sql
    .update(repositoryBlobs)
    .set({ neededAt: raw`${raw.placeholder('now')}` })
    .where(
      and(
        eq(repositoryBlobs.repositoryId, raw.placeholder('repositoryId')),
        inArray(
          repositoryBlobs.digest,
          sql.select({ digest: manifestReferences.digest }).from(manifestReferences).where(inArray(manifestReferences.manifestId, IDS)),
        ),
      ),
    )
    .prepare(),
  count: sql
    .update(repositoryBlobs)
    .set({ counted: 1 })
    .where(
      raw`${repositoryBlobs.repositoryId} = ${raw.placeholder('repositoryId')} AND ${repositoryBlobs.counted} = 0
        AND ${repositoryBlobs.digest} IN (SELECT value FROM json_each(${raw.placeholder('digests')}))`,
    )
    .returning({ digest: repositoryBlobs.digest, size: repositoryBlobs.size })
    .prepare(),
  countedElsewhere: sql
    .select({ digest: repositoryBlobs.digest })
    .from(repositoryBlobs)
    .where(
      raw`${repositoryBlobs.projectId} = ${raw.placeholder('projectId')} AND ${repositoryBlobs.counted} = 1
        AND ${repositoryBlobs.repositoryId} <> ${raw.placeholder('repositoryId')}
        AND ${repositoryBlobs.digest} IN (SELECT value FROM json_each(${raw.placeholder('digests')}))`,
    )
    .prepare(),
  children: sql
    .select({ digest: manifestReferences.digest })
    .from(manifestReferences)
    .where(and(inArray(manifestReferences.manifestId, IDS), eq(manifestReferences.kind, 'manifest')))
    .prepare(),
  remove: sql.delete(manifests).where(inArray(manifests.id, IDS)).prepare(),
  touch: sql
    .update(repositories)
    .set({ updatedAt: raw`${raw.placeholder('now')}` })
    .where(eq(repositories.id, raw.placeholder('id')))
    .prepare(),
})

export async function statManifest(db: Database, name: RepositoryName, reference: Reference): Promise<ManifestHead | undefined> {
  const { statByDigest, statByTag } = db.read.prepared(reads)
  const descriptor =
    reference.tag === undefined ? await statByDigest.get({ name, digest: reference.digest }) : await statByTag.get({ name, tag: reference.tag })
  return descriptor && { descriptor }
}

export async function getManifest(db: Database, name: RepositoryName, reference: Reference): Promise<Manifest | undefined> {
  const { getByDigest, getByTag } = db.read.prepared(reads)
  const row =
    reference.tag === undefined ? await getByDigest.get({ name, digest: reference.digest }) : await getByTag.get({ name, tag: reference.tag })
  if (row === undefined) return undefined
  const { bytes, ...descriptor } = row
  return { descriptor, bytes }
}

/** @throws RegistryError NAME_UNKNOWN, DENIED (quota) */
export function putManifest(db: Database, name: RepositoryName, manifest: ManifestRecord, actor: Actor): Promise<void> {
  return db.write(async (connection) => {
    const repository = await ensureRepository(db, connection, name)
    const { digest } = manifest.descriptor
    let changed = await addManifest(db, connection, repository, manifest, actor)
    for (const tag of manifest.tags) changed = (await setTag(db, connection, repository, tag, digest, actor, PUSHED)) || changed
    if (changed) await touch(db, connection, repository.id)
  })
}

/** Adds a manifest to a repository, if it has it not; false: it had. For functions of this room. @throws RegistryError DENIED (quota) */
export async function addManifest(
  db: Database,
  connection: WriteConnection,
  repository: RepositoryRow,
  manifest: ManifestRecord,
  actor: Actor,
): Promise<boolean> {
  const { digest } = manifest.descriptor
  if ((await connection.prepared(writes).find.get({ repositoryId: repository.id, digest })) !== undefined) return false
  await insertManifest(db, connection, repository, manifest, actor)
  return true
}

async function insertManifest(db: Database, connection: WriteConnection, repository: RepositoryRow, manifest: ManifestRecord, actor: Actor) {
  const { descriptor, parsed } = manifest
  const { digest, size } = descriptor
  const { id: repositoryId, projectId } = repository
  const known = (await connection.prepared(writes).inProject.get({ projectId, digests: JSON.stringify([digest]) })) !== undefined
  const bytes = (known ? 0 : size) + (await countBlobs(connection, repository, parsed.blobs))
  await charge(db, connection, projectId, bytes, { actor, repository: repository.name, digest, tag: manifest.tags[0] })
  const { addContent, add } = connection.prepared(writes)
  await addContent.run({ digest, bytes: manifest.bytes })
  const references = [...referencesOf('blob', parsed.blobs), ...referencesOf('manifest', parsed.manifests)]
  const types = {
    mediaType: descriptor.mediaType,
    artifactType: parsed.artifactType ?? null,
    configMediaType: parsed.blobs[0]?.mediaType ?? null,
  }
  const { id } = await add.get({
    repositoryId,
    projectId,
    digest,
    ...types,
    kind: artifactKind(types),
    size,
    totalSize: references.reduce((sum, reference) => sum + reference.size, size),
    subject: parsed.subject?.digest ?? null,
    // The tags that come with it follow in the same transaction.
    tagged: manifest.tags.length > 0 ? 1 : 0,
    annotations: parsed.annotations ?? null,
    pusher: actor,
    pushedAt: db.clock.now(),
  })
  const rows = references.map((reference, position) => ({ manifestId: id, repositoryId, position, ...reference }))
  for (let from = 0; from < rows.length; from += INSERT_ROWS) {
    await connection.sql.insert(manifestReferences).values(rows.slice(from, from + INSERT_ROWS))
  }
  if (!repository.listed) await enlist(db, connection, repository)
  const beside = await digestsBeside(connection, repositoryId, [digest])
  await standAgain(connection, repositoryId, [...beside, ...parsed.manifests.map((child) => child.digest)])
  await tell(db, connection, {
    actor,
    kind: 'manifest.put',
    subject: `${repository.name}@${digest}`,
    projectId,
    after: digest,
    detail: { mediaType: descriptor.mediaType, size, ...(parsed.subject && { subject: parsed.subject.digest }) },
    // A push by tag is one thing to whoever pushes: its tags tell of it.
    audit: manifest.tags.length > 0 ? 'silent' : undefined,
  })
}

/** Counts the blobs that a first manifest names. @returns how many bytes of them are new to the project */
async function countBlobs(
  connection: WriteConnection,
  { id: repositoryId, projectId }: RepositoryRow,
  blobs: readonly Descriptor[],
): Promise<number> {
  const { count, countedElsewhere } = connection.prepared(writes)
  const named = await count.all({ repositoryId, digests: JSON.stringify(blobs.map(({ digest }) => digest)) })
  if (named.length === 0) return 0
  await settleCharge(
    connection,
    projectId,
    named.reduce((sum, { size }) => sum + size, 0),
  )
  const elsewhere = await countedElsewhere.all({ projectId, repositoryId, digests: JSON.stringify(named.map(({ digest }) => digest)) })
  const known = new Set(elsewhere.map(({ digest }) => digest))
  return named.reduce((sum, { digest, size }) => sum + (known.has(digest) ? 0 : size), 0)
}

const referencesOf = (kind: 'blob' | 'manifest', list: readonly Descriptor[]) => list.map(({ digest, size }) => ({ kind, digest, size }))

export interface ManifestRow {
  readonly id: number
  readonly digest: Digest
  readonly size: number
}

/** `tags`: those that it had until just now, for whoever hears that it is gone. */
export interface GoingManifest extends ManifestRow {
  readonly tags?: readonly Tag[]
  /** It goes because another does: that is one deletion, and told of once. The feed tells of each. */
  readonly besides?: boolean
}

/**
 * Takes away manifests of a repository that no tag points at any more. What they named counts as needed until now. By sets, not one by one:
 * everybody else's writes wait meanwhile. For functions of this room.
 */
export async function removeManifests(
  db: Database,
  connection: WriteConnection,
  repository: RepositoryRow,
  list: readonly GoingManifest[],
  actor: Actor,
): Promise<void> {
  if (list.length === 0) return
  const { id: repositoryId, projectId, name } = repository
  const statements = connection.prepared(writes)
  const ids = JSON.stringify(list.map(({ id }) => id))
  await statements.letGo.run({ repositoryId, ids, now: db.clock.now() })
  const children = (await statements.children.all({ ids })).map((child) => child.digest)
  await statements.remove.run({ ids })
  const digests = list.map(({ digest }) => digest)
  await standAgain(connection, repositoryId, [...children, ...(await digestsBeside(connection, repositoryId, digests))])
  await releaseManifests(connection, projectId, list)
  await tellAll(
    db,
    connection,
    list.map(({ digest, tags = [], besides = false }) => ({
      ...{ actor, kind: 'manifest.deleted' as const, subject: `${name}@${digest}`, projectId, before: digest },
      ...(tags.length > 0 && { detail: { tags } }),
      ...(besides && { audit: 'silent' as const }),
    })),
  )
}

/** After the rows of manifests have gone: gives back what their project no longer holds, and drops bytes that nobody holds. */
async function releaseManifests(connection: WriteConnection, projectId: number, list: readonly ManifestRow[]): Promise<void> {
  const { inProject, dropContents } = connection.prepared(writes)
  const digests = JSON.stringify(list.map(({ digest }) => digest))
  const held = new Set((await inProject.all({ projectId, digests })).map(({ digest }) => digest))
  const bytes = list.reduce((sum, { digest, size }) => (held.has(digest) ? sum : sum + size), 0)
  await refund(connection, projectId, bytes)
  await dropContents.run({ digests })
}

/** For functions of this room. */
export async function touch(db: Database, connection: WriteConnection, repositoryId: number): Promise<void> {
  await connection.prepared(writes).touch.run({ id: repositoryId, now: db.clock.now() })
}
