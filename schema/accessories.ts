import { and, eq, inArray, sql as raw, type SQL } from 'drizzle-orm'
import type { Digest } from '../registry/spec/digests.ts'
import type { Database } from './database.ts'
import { COUNT, type Listed, type Listing, ordering, window } from './listing.ts'
import { wished } from './matching.ts'
import { SUFFIXES, tagsBeside } from './metadata/standing.ts'
import { manifestReferences, manifests, tags } from './tables/repositories.ts'
import { valuesOf } from './values.ts'

/** What belongs to another artifact: a signature, an SBOM. Times in milliseconds since the epoch. */
export interface Accessory {
  readonly id: number
  readonly subject: Digest
  /** null: its subject is not here. */
  readonly subjectId: number | null
  readonly digest: Digest
  readonly size: number
  readonly artifactType: string | null
  readonly configMediaType: string | null
  readonly pushedAt: number
}

const subjectInTag = raw<Digest>`'sha256:' || substr(${tags.name}, 8, 64)`
const isCosignTag = raw`${tags.name} GLOB 'sha256-*' AND substr(${tags.name}, 72) IN ${[...SUFFIXES]}`

const shown = {
  id: manifests.id,
  digest: manifests.digest,
  size: manifests.totalSize,
  artifactType: manifests.artifactType,
  configMediaType: manifests.configMediaType,
  pushedAt: manifests.pushedAt,
}

const searched = { id: manifests.id, digest: manifests.digest, size: manifests.totalSize, creation_time: manifests.pushedAt }

/** Of one artifact; searched and sorted by their fields. */
export async function listAccessories(db: Database, repositoryId: number, subject: Digest, listing: Listing): Promise<Listed<Accessory>> {
  const condition = and(belongsTo(repositoryId, subject), wished(listing, searched))
  const { limit, offset } = window(listing)
  const rows = await db.read.sql
    .select(shown)
    .from(manifests)
    .where(condition)
    .orderBy(...ordering(listing, searched, manifests.id))
    .limit(limit)
    .offset(offset)
  const counted = await db.read.sql.select({ total: COUNT }).from(manifests).where(condition).get()
  const subjectId = (await idsOf(db, repositoryId, [subject])).get(subject) ?? null
  return { items: rows.map((row) => ({ ...row, subject, subjectId })), total: counted?.total ?? 0 }
}

/** Of many artifacts of a repository, by the digest of their subject, each list in the order of its ids. */
export async function accessoriesOf(
  db: Database,
  repositoryId: number,
  subjects: readonly Digest[],
): Promise<ReadonlyMap<Digest, readonly Accessory[]>> {
  if (subjects.length === 0) return new Map()
  const { sql } = db.read
  const referring = await sql
    .select({ ...shown, subject: manifests.subject })
    .from(manifests)
    .where(and(eq(manifests.repositoryId, repositoryId), raw`${manifests.subject} IN ${valuesOf(subjects)}`))
  const beside = await sql
    .select({ ...shown, subject: subjectInTag })
    .from(tags)
    .innerJoin(manifests, and(eq(manifests.repositoryId, tags.repositoryId), eq(manifests.digest, tags.digest)))
    .where(and(inArray(tags.id, tagsNamed(repositoryId, subjects)), isCosignTag))
  const rows = [...referring, ...beside]
  const ids = await idsOf(
    db,
    repositoryId,
    rows.flatMap(({ subject }) => subject ?? []),
  )
  const found = new Map<number, Accessory>()
  for (const { subject, ...row } of rows) {
    if (subject !== null) found.set(row.id, { ...row, subject, subjectId: ids.get(subject) ?? null })
  }
  return Map.groupBy(
    [...found.values()].sort((a, b) => a.id - b.id),
    ({ subject }) => subject,
  )
}

/** The indexes of a repository that name these manifests, by the digest of the child. */
export async function parentsOf(db: Database, repositoryId: number, children: readonly Digest[]): Promise<ReadonlyMap<Digest, readonly Digest[]>> {
  if (children.length === 0) return new Map()
  const rows = await db.read.sql
    .select({ child: manifestReferences.digest, parent: manifests.digest })
    .from(manifestReferences)
    .innerJoin(manifests, eq(manifests.id, manifestReferences.manifestId))
    .where(
      and(
        eq(manifestReferences.repositoryId, repositoryId),
        eq(manifestReferences.kind, 'manifest'),
        inArray(manifestReferences.digest, [...children]),
      ),
    )
  const byChild = Map.groupBy(rows, ({ child }) => child)
  return new Map([...byChild].map(([child, held]) => [child, held.map(({ parent }) => parent)]))
}

async function idsOf(db: Database, repositoryId: number, digests: readonly Digest[]): Promise<ReadonlyMap<Digest, number>> {
  if (digests.length === 0) return new Map()
  const rows = await db.read.sql
    .select({ id: manifests.id, digest: manifests.digest })
    .from(manifests)
    .where(and(eq(manifests.repositoryId, repositoryId), raw`${manifests.digest} IN ${valuesOf(digests)}`))
  return new Map(rows.map(({ id, digest }) => [digest, id]))
}

/** By what it refers to, or by a tag that sets it beside: a question each, for both at once would read the whole repository. */
function belongsTo(repositoryId: number, subject: Digest): SQL {
  return raw`${manifests.id} IN (SELECT m.id FROM manifests m WHERE m.repository_id = ${repositoryId} AND m.subject = ${subject}
    UNION SELECT m.id FROM tags t JOIN manifests m ON m.repository_id = t.repository_id AND m.digest = t.digest
      WHERE t.id IN ${tagsNamed(repositoryId, [subject])})`
}

/** The ids of the tags that set something beside these. SQLite is told the index: it would read all tags of the repository, by one that has their digests. */
function tagsNamed(repositoryId: number, subjects: readonly Digest[]): SQL {
  return raw`(SELECT id FROM tags INDEXED BY tags_name WHERE repository_id = ${repositoryId} AND name IN ${valuesOf(subjects.flatMap(tagsBeside))})`
}
