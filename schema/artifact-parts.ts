import { sql as raw } from 'drizzle-orm'
import { alias } from 'drizzle-orm/sqlite-core'
import type { Digest } from '../registry/spec/digests.ts'
import type { Database } from './database.ts'
import { readRows } from './rows.ts'
import { repositoryBlobs } from './tables/blobs.ts'
import { manifestContents, manifestReferences, manifests } from './tables/repositories.ts'
import { valuesOf } from './values.ts'

/** What the API tells of the inside of an artifact. */
export interface ArtifactParts {
  /** What a manifest names first, where its repository has it: a digest alone gives nobody a right to bytes. undefined: an index, or a manifest without blobs. */
  readonly config: Digest | undefined
  /** The children of an index, in its order. `id` undefined: it is not here. */
  readonly children: readonly { readonly digest: Digest; readonly id: number | undefined }[]
}

const NONE: ArtifactParts = { config: undefined, children: [] }

/** By the ids of their manifests. */
export async function partsOf(db: Database, manifestIds: readonly number[]): Promise<(manifestId: number) => ArtifactParts> {
  if (manifestIds.length === 0) return () => NONE
  const child = alias(manifests, 'child')
  const { manifestId, repositoryId, position, kind, digest } = manifestReferences
  const rows = await readRows(
    db.read.sql,
    { manifestId, position, kind, digest, childId: child.id },
    raw`FROM ${manifestReferences} LEFT JOIN ${manifests} child ON ${kind} = 'manifest' AND ${child.repositoryId} = ${repositoryId} AND ${child.digest} = ${digest}
      WHERE ${manifestId} IN ${valuesOf(manifestIds)} AND (${kind} = 'manifest' OR (${position} = 0 AND EXISTS (
        SELECT 1 FROM ${repositoryBlobs} held WHERE held.repository_id = ${repositoryId} AND held.digest = ${digest})))`,
  )
  rows.sort((a, b) => a.position - b.position)
  const byManifest = Map.groupBy(rows, (row) => row.manifestId)
  return (id) => {
    const named = byManifest.get(id)
    if (named === undefined) return NONE
    return {
      config: named.find((each) => each.kind === 'blob')?.digest,
      children: named.flatMap((each) => (each.kind === 'manifest' ? [{ digest: each.digest, id: each.childId ?? undefined }] : [])),
    }
  }
}

/** The very bytes of some manifests. */
export async function contentsOf(db: Database, digests: readonly Digest[]): Promise<ReadonlyMap<Digest, Uint8Array>> {
  if (digests.length === 0) return new Map()
  const rows = await db.read.sql
    .select()
    .from(manifestContents)
    .where(raw`${manifestContents.digest} IN ${valuesOf(digests)}`)
  return new Map(rows.map((row) => [row.digest, row.bytes]))
}
