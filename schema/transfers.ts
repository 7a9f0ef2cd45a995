import { and, eq, lt, sql as raw } from 'drizzle-orm'
import type { Digest } from '../registry/spec/digests.ts'
import type { RepositoryName } from '../registry/spec/names.ts'
import type { Database } from './database.ts'
import { transfers } from './tables/jobs.ts'

/** A blob on its way to a repository of another registry. `destination` is the key of that registry. */
export interface TransferKey {
  readonly destination: string
  readonly repository: RepositoryName
  readonly digest: Digest
}

const one = ({ destination, repository, digest }: TransferKey) =>
  and(eq(transfers.destination, destination), eq(transfers.repository, repository), eq(transfers.digest, digest))

/** Keeps where this upload can be taken up again. */
export async function rememberTransfer(db: Database, key: TransferKey, location: string): Promise<void> {
  const { destination, repository, digest } = key
  const updatedAt = db.clock.now()
  await db.write(({ sql }) =>
    sql
      .insert(transfers)
      .values({ destination, repository, digest, location, updatedAt })
      .onConflictDoUpdate({ target: [transfers.destination, transfers.repository, transfers.digest], set: { location, updatedAt } }),
  )
}

export async function findTransfer(db: Database, key: TransferKey): Promise<string | undefined> {
  return (await db.read.sql.select({ location: transfers.location }).from(transfers).where(one(key)).get())?.location
}

export async function forgetTransfer(db: Database, key: TransferKey): Promise<void> {
  await db.write(({ sql }) => sql.delete(transfers).where(one(key)))
}

/** Forgets those that nobody has touched since `before`, at most `limit`: their sessions are gone by now. Resolves with how many. */
export async function forgetTransfersBefore(db: Database, before: number, limit: number): Promise<number> {
  const gone = await db.write(({ sql }) =>
    sql
      .delete(transfers)
      .where(raw`rowid IN (SELECT rowid FROM ${transfers} WHERE ${lt(transfers.updatedAt, before)} LIMIT ${limit})`)
      .returning({ digest: transfers.digest }),
  )
  return gone.length
}
