import { sql as raw, type SQL } from 'drizzle-orm'
import type { Claim, Found, GarbageIndex, Step, StoredBlob, UnneededLink, UnneededManifest } from '../registry/garbage/garbage-index.ts'
import { CLAIM_OVER_MS } from '../registry/garbage/limits.ts'
import type { Digest } from '../registry/spec/digests.ts'
import type { RepositoryName } from '../registry/spec/names.ts'
import { tellAll } from './changes.ts'
import type { Connection } from './connection.ts'
import type { Database } from './database.ts'
import { removeManifests } from './metadata/manifests.ts'
import { refund, settleCharge } from './metadata/quota.ts'
import { findRepository } from './metadata/repositories.ts'
import { valuesOf } from './values.ts'

/** Who the feed says it was. */
const ACTOR = 'system'

/** A manifest `m` that a tag, an index or its subject keeps. */
const KEPT = raw`(EXISTS (SELECT 1 FROM tags t WHERE t.repository_id = m.repository_id AND t.digest = m.digest)
  OR EXISTS (SELECT 1 FROM manifest_references p WHERE p.repository_id = m.repository_id AND p.digest = m.digest AND p.kind = 'manifest')
  OR EXISTS (SELECT 1 FROM manifests s WHERE s.repository_id = m.repository_id AND s.digest = m.subject))`

/** A link `l` that a manifest of its repository names. */
const NAMED = raw`EXISTS (SELECT 1 FROM manifest_references n WHERE n.repository_id = l.repository_id AND n.digest = l.digest)`

/** What nobody needs, in this database. `graceMs`: how long it is kept all the same, in milliseconds. */
export function garbageIndex(db: Database, graceMs: number): GarbageIndex {
  const before = () => db.clock.now() - graceMs
  return {
    untagged: (step) => untagged(db, before(), step),
    releaseManifests: (list) => releaseManifests(db, before(), list),
    unneeded: (step) => unneeded(db, before(), step),
    releaseLinks: (list) => releaseLinks(db, before(), list),
    unknown: (digests) => unknown(db.read, digests),
    adopt: (list) => adopt(db, list),
    condemned: (step) => condemned(db, before(), step),
    claim: (limit) => claim(db, before(), limit),
    settle: (taken, gone) => settle(db, taken, gone),
  }
}

// Each step looks at so many rows and says which of them count: a question for the next so many that count might read all there are, and
// statements on a file hold up the whole process.

async function untagged(db: Database, before: number, { after = '0', limit }: Step): Promise<Found<UnneededManifest>> {
  const rows = await db.read.sql.all<UnneededManifest & { id: number; kept: number }>(
    raw`SELECT m.id, r.name AS repository, m.digest, m.size, m.pushed_at >= ${before} OR ${KEPT} AS kept
      FROM manifests m JOIN repositories r ON r.id = m.repository_id WHERE m.id > ${Number(after)} ORDER BY m.id LIMIT ${limit}`,
  )
  const items = rows.filter(({ kept }) => kept === 0).map(({ repository, digest, size }) => ({ repository, digest, size }))
  return { items, next: rows.length < limit ? undefined : String(rows.at(-1)?.id) }
}

function releaseManifests(db: Database, before: number, list: readonly UnneededManifest[]): Promise<readonly UnneededManifest[]> {
  return db.write(async (connection) => {
    const released: UnneededManifest[] = []
    for (const manifest of list) {
      const repository = await findRepository(connection, manifest.repository)
      if (repository === undefined) continue
      const found = await connection.sql.get<{ id: number } | undefined>(
        raw`SELECT m.id FROM manifests m WHERE m.repository_id = ${repository.id} AND m.digest = ${manifest.digest} AND m.pushed_at < ${before} AND NOT ${KEPT}`,
      )
      if (found === undefined) continue
      await removeManifests(db, connection, repository, [{ ...manifest, id: found.id }], ACTOR)
      released.push(manifest)
    }
    return released
  })
}

async function unneeded(db: Database, before: number, { after, limit }: Step): Promise<Found<UnneededLink>> {
  const [repositoryId, digest] = after === undefined ? [0, ''] : readKey(after)
  const rows = await db.read.sql.all<Omit<UnneededLink, 'last'> & { id: number; needed: number; last: number }>(
    raw`SELECT r.id, r.name AS repository, l.digest, l.size, ${neededLink(before)} AS needed, ${lastLink(before)} AS last
      FROM (SELECT * FROM repository_blobs WHERE (repository_id, digest) > (${repositoryId}, ${digest}) ORDER BY repository_id, digest LIMIT ${limit}) l
      JOIN repositories r ON r.id = l.repository_id ORDER BY l.repository_id, l.digest`,
  )
  const items = rows
    .filter(({ needed }) => needed === 0)
    .map(({ repository, digest, size, last }) => ({ repository, digest, size, last: last === 1 }))
  const end = rows.at(-1)
  return { items, next: rows.length < limit || end === undefined ? undefined : `${end.id} ${end.digest}` }
}

const neededLink = (before: number): SQL => raw`(l.needed_at >= ${before} OR ${NAMED})`

/** Of the unneeded links to a blob that no repository needs, the one of the highest repository. The first condition spares the second one its work. */
function lastLink(before: number): SQL {
  return raw`NOT EXISTS (SELECT 1 FROM repository_blobs o WHERE o.digest = l.digest AND o.repository_id > l.repository_id)
    AND NOT ${neededLink(before)}
    AND NOT EXISTS (SELECT 1 FROM repository_blobs o WHERE o.digest = l.digest AND o.repository_id < l.repository_id AND (o.needed_at >= ${before}
      OR EXISTS (SELECT 1 FROM manifest_references n WHERE n.repository_id = o.repository_id AND n.digest = o.digest)))`
}

/** By sets, not one by one: everybody else's writes wait meanwhile. */
function releaseLinks(db: Database, before: number, list: readonly UnneededLink[]): Promise<readonly UnneededLink[]> {
  if (list.length === 0) return Promise.resolve([])
  return db.write(async (connection) => {
    const { sql } = connection
    const wanted = JSON.stringify(list.map(({ repository, digest }) => [repository, digest]))
    const gone = await sql.all<{ repositoryId: number; projectId: number; digest: Digest; size: number; counted: number }>(
      // By rowid: a pair of columns in a list would be looked up by the first, and every link of the repository read.
      raw`DELETE FROM repository_blobs WHERE rowid IN
          (SELECT l.rowid FROM json_each(${wanted}) w JOIN repositories r ON r.name = w.value ->> 0
            JOIN repository_blobs l ON l.repository_id = r.id AND l.digest = w.value ->> 1 WHERE NOT ${neededLink(before)})
        RETURNING repository_id AS repositoryId, project_id AS projectId, digest, size, counted`,
    )
    if (gone.length === 0) return []
    const held = new Set(
      (
        await sql.all<{ projectId: number; digest: Digest }>(
          raw`SELECT DISTINCT w.value ->> 0 AS projectId, w.value ->> 1 AS digest FROM json_each(${JSON.stringify(gone.map((row) => [row.projectId, row.digest]))}) w
            WHERE EXISTS (SELECT 1 FROM repository_blobs o WHERE o.project_id = w.value ->> 0 AND o.digest = w.value ->> 1 AND o.counted = 1)`,
        )
      ).map(inProject),
    )
    const bytes = new Map<number, number>()
    const pending = new Map<number, number>()
    for (const row of gone) {
      if (row.counted === 0) {
        pending.set(row.projectId, (pending.get(row.projectId) ?? 0) + row.size)
        continue
      }
      if (held.has(inProject(row))) continue
      held.add(inProject(row))
      bytes.set(row.projectId, (bytes.get(row.projectId) ?? 0) + row.size)
    }
    for (const [projectId, sum] of bytes) await refund(connection, projectId, sum)
    for (const [projectId, sum] of pending) await settleCharge(connection, projectId, sum)
    // The links have waited their grace, and nobody who was told of them is left: the bytes need not wait another.
    await sql.run(
      raw`UPDATE blobs SET condemned_at = ${before} WHERE digest IN ${valuesOf(gone.map(({ digest }) => digest))}
        AND NOT EXISTS (SELECT 1 FROM repository_blobs o WHERE o.digest = blobs.digest)`,
    )
    const names = new Map(
      (
        await sql.all<{ id: number; name: RepositoryName }>(
          raw`SELECT id, name FROM repositories WHERE id IN ${valuesOf(gone.map(({ repositoryId }) => repositoryId))}`,
        )
      ).map(({ id, name }) => [id, name]),
    )
    await tellAll(
      db,
      connection,
      gone.map(({ repositoryId, projectId, digest }) => ({
        actor: ACTOR,
        kind: 'blob.unlinked' as const,
        subject: `${names.get(repositoryId)}@${digest}`,
        projectId,
        before: digest,
      })),
    )
    await sql.run(
      raw`DELETE FROM repositories WHERE id IN ${valuesOf([...names.keys()])} AND listed = 0
        AND NOT EXISTS (SELECT 1 FROM repository_blobs l WHERE l.repository_id = repositories.id)`,
    )
    const released = new Set(gone.map(({ repositoryId, digest }) => `${names.get(repositoryId)}@${digest}`))
    return list.filter(({ repository, digest }) => released.has(`${repository}@${digest}`))
  })
}

const inProject = ({ projectId, digest }: { readonly projectId: number; readonly digest: Digest }) => `${projectId} ${digest}`

async function unknown(connection: Connection, digests: readonly Digest[]): Promise<readonly Digest[]> {
  const rows = await connection.sql.all<{ digest: Digest }>(
    raw`SELECT value AS digest FROM json_each(${JSON.stringify(digests)}) WHERE NOT EXISTS (SELECT 1 FROM blobs b WHERE b.digest = value)`,
  )
  return rows.map(({ digest }) => digest)
}

function adopt(db: Database, list: readonly StoredBlob[]): Promise<readonly StoredBlob[]> {
  if (list.length === 0) return Promise.resolve([])
  return db.write(async (connection) => {
    const now = db.clock.now()
    const rows = await connection.sql.all<{ digest: Digest }>(
      raw`INSERT INTO blobs (digest, size, created_at, condemned_at)
        SELECT w.value ->> 0, w.value ->> 1, ${now}, ${now} FROM json_each(${JSON.stringify(list.map(({ digest, size }) => [digest, size]))}) w
        WHERE true ON CONFLICT DO NOTHING RETURNING digest`,
    )
    const adopted = new Set(rows.map(({ digest }) => digest))
    return list.filter(({ digest }) => adopted.has(digest))
  })
}

async function condemned(db: Database, before: number, { after, limit }: Step): Promise<Found<StoredBlob>> {
  const [condemnedAt, digest] = after === undefined ? [Number.MIN_SAFE_INTEGER, ''] : readKey(after)
  const rows = await db.read.sql.all<StoredBlob & { condemnedAt: number }>(
    raw`SELECT digest, size, condemned_at AS condemnedAt FROM blobs
      WHERE condemned_at IS NOT NULL AND condemned_at <= ${before} AND (condemned_at, digest) > (${condemnedAt}, ${digest})
      ORDER BY condemned_at, digest LIMIT ${limit}`,
  )
  const end = rows.at(-1)
  return {
    items: rows.map(({ digest, size }) => ({ digest, size })),
    next: rows.length < limit || end === undefined ? undefined : `${end.condemnedAt} ${end.digest}`,
  }
}

/** A row that was claimed stays condemned; what revives a blob looks at the claim first. */
function claim(db: Database, before: number, limit: number): Promise<Claim> {
  return db.write(async (connection) => {
    const at = db.clock.now()
    const blobs = await connection.sql.all<StoredBlob>(
      raw`UPDATE blobs SET claimed_at = ${at} WHERE digest IN
          (SELECT digest FROM blobs WHERE condemned_at IS NOT NULL AND condemned_at <= ${before} AND (claimed_at IS NULL OR claimed_at < ${at - CLAIM_OVER_MS})
            ORDER BY condemned_at, digest LIMIT ${limit})
        RETURNING digest, size`,
    )
    return { blobs, at }
  })
}

async function settle(db: Database, { at }: Claim, gone: readonly Digest[]): Promise<void> {
  if (gone.length === 0) return
  await db.write((connection) => connection.sql.run(raw`DELETE FROM blobs WHERE claimed_at = ${at} AND digest IN ${valuesOf(gone)}`))
}

function readKey(text: string): [number, string] {
  const space = text.indexOf(' ')
  return [Number(text.slice(0, space)), text.slice(space + 1)]
}
