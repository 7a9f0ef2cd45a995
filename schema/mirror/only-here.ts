import { sql as raw } from 'drizzle-orm'
import type { Digest } from '../../registry/spec/digests.ts'
import type { RepositoryName, Tag } from '../../registry/spec/names.ts'
import type { Database } from '../database.ts'
import { ONLY_HERE_PAGE } from './limits.ts'
import { logReaches } from './log.ts'

/** An artifact that another site may not have. */
export interface LoneArtifact {
  readonly repository: RepositoryName
  readonly digest: Digest
  readonly tags: readonly Tag[]
}

/**
 * Artifacts that were pushed or tagged after the log's `after`, as they are now; of everything there is, where the log does not reach back so far.
 * In pages, by the ids of their manifests.
 */
export async function* artifactsOnlyHere(db: Database, after: number): AsyncGenerator<LoneArtifact> {
  const logged = await logReaches(db, after)
  for (let last = 0; ; ) {
    const rows = await db.read.sql.all<{ id: number; repository: RepositoryName; digest: Digest; tags: string }>(
      raw`SELECT m.id, r.name AS repository, m.digest,
          (SELECT json_group_array(t.name) FROM tags t WHERE t.repository_id = m.repository_id AND t.digest = m.digest ${logged ? raw`AND ${touchedTag(after)}` : raw``}) AS tags
        FROM manifests m JOIN repositories r ON r.id = m.repository_id
        WHERE m.id > ${last} ${logged ? raw`AND ${touched(after)}` : raw``} ORDER BY m.id LIMIT ${ONLY_HERE_PAGE}`,
    )
    for (const { repository, digest, tags } of rows) yield { repository, digest, tags: JSON.parse(tags) as Tag[] }
    const end = rows.at(-1)
    if (end === undefined || rows.length < ONLY_HERE_PAGE) return
    last = end.id
  }
}

/** By what the feed tells of it: the row of a manifest is also written when a tag beside it moves. */
const touched = (after: number) => raw`((m.repository_id, m.digest) IN
    (SELECT l.row ->> '$.repository_id', l.row ->> '$.digest' FROM mirror_log l WHERE l.seq > ${after} AND l.kind = 'put' AND l.name = 'tags')
  OR r.name || '@' || m.digest IN
    (SELECT l.row ->> '$.subject' FROM mirror_log l WHERE l.seq > ${after} AND l.kind = 'put' AND l.name = 'changes' AND l.row ->> '$.kind' = 'manifest.put'))`

const touchedTag = (after: number) =>
  raw`t.id IN (SELECT l.row ->> '$.id' FROM mirror_log l WHERE l.seq > ${after} AND l.kind = 'put' AND l.name = 'tags')`

/** What else was written after `after`, oldest first: a line for each row, as JSON. At most `limit`; `more`: there were others. */
export async function rowsOnlyHere(
  db: Database,
  after: number,
  limit: number,
): Promise<{ readonly rows: readonly { readonly kind: string; readonly name: string; readonly row: string }[]; readonly more: boolean }> {
  const rows = await db.read.sql.all<{ kind: string; name: string; row: string }>(
    raw`SELECT kind, name, row FROM mirror_log WHERE seq > ${after} AND kind <> 'commit'
      AND name NOT IN ('blobs', 'repository_blobs', 'manifest_contents', 'manifests', 'manifest_references', 'changes', 'cursors', 'signing_keys')
      ORDER BY seq LIMIT ${limit + 1}`,
  )
  return { rows: rows.slice(0, limit), more: rows.length > limit }
}
