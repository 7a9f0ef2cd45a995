import { and, eq, lt, sql as raw } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import { CLAIM_OVER_MS } from '../../registry/garbage/limits.ts'
import type { Actor, Reservation } from '../../registry/metadata-store.ts'
import type { Digest } from '../../registry/spec/digests.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { RepositoryName } from '../../registry/spec/names.ts'
import { tell } from '../changes.ts'
import type { WriteConnection } from '../connection.ts'
import type { Database } from '../database.ts'
import { refuseImmutableAbove } from '../immutable-rules.ts'
import { blobs, repositoryBlobs } from '../tables/blobs.ts'
import { manifestReferences, repositories } from '../tables/repositories.ts'
import { beginCharge, charge, refund, settleCharge } from './quota.ts'
import { ensureRepository, findAnyRepository, type RepositoryRow } from './repositories.ts'

const reads = (sql: LibSQLDatabase) => ({
  stat: sql
    .select({ size: repositoryBlobs.size, neededAt: repositoryBlobs.neededAt, repositoryId: repositories.id })
    .from(repositories)
    .innerJoin(repositoryBlobs, and(eq(repositoryBlobs.repositoryId, repositories.id), eq(repositoryBlobs.digest, raw.placeholder('digest'))))
    .where(eq(repositories.name, raw.placeholder('name')))
    .prepare(),
  holders: sql
    .select({ name: repositories.name })
    .from(repositoryBlobs)
    .innerJoin(repositories, eq(repositories.id, repositoryBlobs.repositoryId))
    .where(eq(repositoryBlobs.digest, raw.placeholder('digest')))
    .limit(raw.placeholder('limit'))
    .prepare(),
  named: sql
    .select({ manifestId: manifestReferences.manifestId })
    .from(manifestReferences)
    .where(and(eq(manifestReferences.repositoryId, raw.placeholder('repositoryId')), eq(manifestReferences.digest, raw.placeholder('digest'))))
    .limit(1)
    .prepare(),
  reserve: sql
    .select({ claimedAt: blobs.claimedAt })
    .from(blobs)
    .where(eq(blobs.digest, raw.placeholder('digest')))
    .prepare(),
})

const writes = (sql: LibSQLDatabase) => ({
  find: sql
    .select({ size: repositoryBlobs.size, counted: repositoryBlobs.counted })
    .from(repositoryBlobs)
    .where(and(eq(repositoryBlobs.repositoryId, raw.placeholder('repositoryId')), eq(repositoryBlobs.digest, raw.placeholder('digest'))))
    .prepare(),
  countedInProject: sql
    .select({ size: repositoryBlobs.size })
    .from(repositoryBlobs)
    .where(
      and(
        eq(repositoryBlobs.projectId, raw.placeholder('projectId')),
        eq(repositoryBlobs.digest, raw.placeholder('digest')),
        eq(repositoryBlobs.counted, 1),
      ),
    )
    .limit(1)
    .prepare(),
  anywhere: sql
    .select({ size: repositoryBlobs.size })
    .from(repositoryBlobs)
    .where(eq(repositoryBlobs.digest, raw.placeholder('digest')))
    .limit(1)
    .prepare(),
  need: sql
    .update(repositoryBlobs)
    .set({ neededAt: raw`${raw.placeholder('now')}` })
    .where(and(eq(repositoryBlobs.repositoryId, raw.placeholder('repositoryId')), eq(repositoryBlobs.digest, raw.placeholder('digest'))))
    .returning({ size: repositoryBlobs.size })
    .prepare(),
  add: sql
    .insert(blobs)
    .values({ digest: raw.placeholder('digest'), size: raw.placeholder('size'), createdAt: raw.placeholder('now') })
    .prepare(),
  revive: sql
    .update(blobs)
    .set({ condemnedAt: null })
    .where(eq(blobs.digest, raw.placeholder('digest')))
    .prepare(),
  link: sql
    .insert(repositoryBlobs)
    .values({
      repositoryId: raw.placeholder('repositoryId'),
      digest: raw.placeholder('digest'),
      projectId: raw.placeholder('projectId'),
      size: raw.placeholder('size'),
      counted: raw.placeholder('counted'),
      neededAt: raw.placeholder('now'),
    })
    .prepare(),
})

/**
 * Whether the blob belongs to this repository. Whoever hears yes need not upload it, so a link that no manifest needs is kept for another
 * grace from now; that is written at most once in half a grace.
 */
export async function statBlob(db: Database, graceMs: number, name: RepositoryName, digest: Digest): Promise<{ readonly size: number } | undefined> {
  const { stat, named } = db.read.prepared(reads)
  const found = await stat.get({ name, digest })
  if (found === undefined) return undefined
  const { repositoryId, neededAt, size } = found
  if (db.clock.now() - neededAt < graceMs / 2 || (await named.get({ repositoryId, digest })) !== undefined) return { size }
  return await db.write((connection) => connection.prepared(writes).need.get({ repositoryId, digest, now: db.clock.now() }))
}

/** Some repositories that have the blob, at most `limit`. */
export async function repositoriesWithBlob(db: Database, digest: Digest, limit: number): Promise<readonly RepositoryName[]> {
  return (await db.read.prepared(reads).holders.all({ digest, limit })).map((row) => row.name)
}

/**
 * What is known of a blob before its bytes are put into the store. What a collector claimed and never finished is taken back from it.
 * @throws RegistryError UNAVAILABLE while they are being deleted
 */
export async function reserveBlob(db: Database, digest: Digest): Promise<Reservation> {
  const row = await db.read.prepared(reads).reserve.get({ digest })
  if (row !== undefined && row.claimedAt !== null) {
    const taken = await db.write(({ sql }) => {
      const now = db.clock.now()
      return sql
        .update(blobs)
        .set({ claimedAt: null, condemnedAt: now })
        .where(and(eq(blobs.digest, digest), lt(blobs.claimedAt, now - CLAIM_OVER_MS)))
        .returning({ digest: blobs.digest })
    })
    if (taken.length === 0) throw collected(digest)
  }
  return { known: row !== undefined, at: db.clock.now() }
}

/**
 * Makes a blob of the store one of this repository's. One that was condemned lives again.
 *
 * The bytes are there if the row is: a collector deletes them only after it claimed the row, and takes the row away only after them. Without
 * a row they are there if nothing was known of them at the reservation, for whatever came since is younger than a grace.
 * @throws RegistryError NAME_UNKNOWN, DENIED (quota), UNAVAILABLE (collected meanwhile)
 */
export function linkBlob(
  db: Database,
  graceMs: number,
  name: RepositoryName,
  { digest, size }: { readonly digest: Digest; readonly size: number },
  reservation: Reservation,
): Promise<void> {
  return db.write(async (connection) => {
    const repository = await ensureRepository(db, connection, name)
    const row = await connection.prepared(reads).reserve.get({ digest })
    const now = db.clock.now()
    if (row === undefined) {
      if (reservation.known || now - reservation.at > graceMs / 2) throw collected(digest)
      await connection.prepared(writes).add.run({ digest, size, now })
    } else if (row.claimedAt !== null) throw collected(digest)
    await link(db, connection, repository, digest, size)
  })
}

/** Makes a blob of `from` one of this repository's; undefined: `from` does not have it. @throws RegistryError NAME_UNKNOWN, DENIED (quota) */
export function mountBlob(db: Database, name: RepositoryName, digest: Digest, from: RepositoryName): Promise<{ readonly size: number } | undefined> {
  return db.write(async (connection) => {
    const source = await findAnyRepository(connection, from)
    const blob = source && (await connection.prepared(writes).find.get({ repositoryId: source.id, digest }))
    if (blob === undefined) return undefined
    await link(db, connection, await ensureRepository(db, connection, name), digest, blob.size)
    return { size: blob.size }
  })
}

async function link(
  db: Database,
  connection: WriteConnection,
  { id: repositoryId, projectId, name: repository }: RepositoryRow,
  digest: Digest,
  size: number,
): Promise<void> {
  const { need, countedInProject, revive, link } = connection.prepared(writes)
  const now = db.clock.now()
  if ((await need.get({ repositoryId, digest, now })) !== undefined) return
  const known = (await countedInProject.get({ projectId, digest })) !== undefined
  // A manifest may be here before what it names.
  const counted = known || (await connection.prepared(reads).named.get({ repositoryId, digest })) !== undefined
  if (!counted) await beginCharge(connection, projectId, size)
  else if (!known) await charge(db, connection, projectId, size, { repository, digest })
  await revive.run({ digest })
  await link.run({ repositoryId, digest, projectId, size, counted: counted ? 1 : 0, now })
}

function collected(digest: Digest): RegistryError {
  return new RegistryError(
    'UNAVAILABLE',
    'An old copy of this blob is being deleted at this moment. Upload it again.',
    { digest },
    { headers: { 'Retry-After': '5' } },
  )
}

/** False: the repository does not have it. @throws RegistryError DENIED (412) when an immutable tag needs it */
export function unlinkBlob(db: Database, name: RepositoryName, digest: Digest, actor: Actor): Promise<boolean> {
  return db.write(async (connection) => {
    const repository = await findAnyRepository(connection, name)
    if (repository === undefined) return false
    const { id: repositoryId, projectId } = repository
    const found = await connection.prepared(writes).find.get({ repositoryId, digest })
    if (found === undefined) return false
    await refuseImmutableAbove(connection, repository, digest)
    await removeLink(db, connection, { repositoryId, projectId, digest, ...found })
    await tell(db, connection, { actor, kind: 'blob.unlinked', subject: `${name}@${digest}`, projectId, before: digest })
    return true
  })
}

/** Takes a link away, gives back what its project no longer holds, and condemns a blob that nobody holds. For functions of this room. */
export async function removeLink(
  db: Database,
  connection: WriteConnection,
  {
    repositoryId,
    projectId,
    digest,
    size,
    counted,
  }: { readonly repositoryId: number; readonly projectId: number; readonly digest: Digest; readonly size: number; readonly counted: number },
): Promise<void> {
  const { countedInProject, anywhere } = connection.prepared(writes)
  await connection.sql.delete(repositoryBlobs).where(and(eq(repositoryBlobs.repositoryId, repositoryId), eq(repositoryBlobs.digest, digest)))
  if (counted === 0) await settleCharge(connection, projectId, size)
  else if ((await countedInProject.get({ projectId, digest })) === undefined) await refund(connection, projectId, size)
  if ((await anywhere.get({ digest })) !== undefined) return
  await connection.sql.update(blobs).set({ condemnedAt: db.clock.now() }).where(eq(blobs.digest, digest))
}
