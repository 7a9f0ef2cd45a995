import { and, eq, inArray, sql as raw, type SQL } from 'drizzle-orm'
import type { Digest } from '../registry/spec/digests.ts'
import type { Database } from './database.ts'
import { COUNT, type Listed, type Listing, ordering, window } from './listing.ts'
import { manifestReferences, manifests, tags } from './tables/repositories.ts'

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

// Cosign before OCI 1.1 names no subject: it sets the tag sha256-<hex>.sig beside it.
const SUFFIXES = ['.sig', '.att', '.sbom'] as const
const subjectInTag = raw<Digest>`'sha256:' || substr(${tags.name}, 8, 64)`
const isCosignTag = raw`${tags.name} GLOB 'sha256-*' AND substr(${tags.name}, 72) IN ${[...SUFFIXES]}`

/** For functions of this room that select from `manifests`: those that stand beside another by such a tag. */
export const isBesideAnother = raw`EXISTS (SELECT 1 FROM tags t JOIN manifests s ON s.repository_id = t.repository_id
  AND s.digest = 'sha256:' || substr(t.name, 8, 64)
  WHERE t.repository_id = ${manifests.repositoryId} AND t.digest = ${manifests.digest} AND t.name GLOB 'sha256-*' AND substr(t.name, 72) IN ${[...SUFFIXES]})`

const shown = {
  id: manifests.id,
  digest: manifests.digest,
  size: manifests.totalSize,
  artifactType: manifests.artifactType,
  configMediaType: manifests.configMediaType,
  pushedAt: manifests.pushedAt,
}

/** Of one artifact; sorted by `creation_time`, `size`, `digest` or `id`. */
export async function listAccessories(db: Database, repositoryId: number, subject: Digest, listing: Listing): Promise<Listed<Accessory>> {
  const condition = and(eq(manifests.repositoryId, repositoryId), belongsTo(repositoryId, subject))
  const { id, digest, totalSize, pushedAt } = manifests
  const { limit, offset } = window(listing)
  const rows = await db.read.sql
    .select(shown)
    .from(manifests)
    .where(condition)
    .orderBy(...ordering(listing, { id, digest, size: totalSize, creation_time: pushedAt }, id))
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
    .where(and(eq(manifests.repositoryId, repositoryId), inArray(manifests.subject, [...subjects])))
  const beside = await sql
    .select({ ...shown, subject: subjectInTag })
    .from(tags)
    .innerJoin(manifests, and(eq(manifests.repositoryId, tags.repositoryId), eq(manifests.digest, tags.digest)))
    .where(and(eq(tags.repositoryId, repositoryId), inArray(tags.name, subjects.flatMap(tagNames)), isCosignTag))
  const ids = await idsOf(db, repositoryId, subjects)
  const found = new Map<number, Accessory>()
  for (const { subject, ...row } of [...referring, ...beside]) {
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
  const rows = await db.read.sql
    .select({ id: manifests.id, digest: manifests.digest })
    .from(manifests)
    .where(and(eq(manifests.repositoryId, repositoryId), inArray(manifests.digest, [...digests])))
  return new Map(rows.map(({ id, digest }) => [digest, id]))
}

function belongsTo(repositoryId: number, subject: Digest): SQL {
  const beside = raw`${manifests.digest} IN (SELECT ${tags.digest} FROM ${tags} WHERE ${tags.repositoryId} = ${repositoryId} AND ${tags.name} IN ${tagNames(subject)})`
  return raw`(${manifests.subject} = ${subject} OR ${beside})`
}

const tagNames = (subject: Digest) => SUFFIXES.map((suffix) => `${subject.replace(':', '-')}${suffix}`) as (typeof tags.$inferSelect)['name'][]
