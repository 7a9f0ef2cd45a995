import { and, asc, eq, gt, isNull, sql as raw } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import { RegistryError } from '../../registry/spec/errors.ts'
import { type RepositoryName, splitProject } from '../../registry/spec/names.ts'
import type { Page, Slice } from '../../registry/spec/pages.ts'
import type { Connection, WriteConnection } from '../connection.ts'
import type { Database } from '../database.ts'
import { projects } from '../tables/projects.ts'
import { isListed, repositories } from '../tables/repositories.ts'
import { keyset, sliceOf } from './paging.ts'

export interface RepositoryRow {
  readonly id: number
  readonly projectId: number
  readonly name: RepositoryName
  /** An artifact has been in it. */
  readonly listed: boolean
}

const statements = (sql: LibSQLDatabase) => ({
  find: sql
    .select({ id: repositories.id, projectId: repositories.projectId, name: repositories.name, listed: repositories.listed })
    .from(repositories)
    .where(eq(repositories.name, raw.placeholder('name')))
    .prepare(),
  project: sql
    .select({ id: projects.id })
    .from(projects)
    .where(and(eq(projects.name, raw.placeholder('name')), isNull(projects.deletedAt)))
    .prepare(),
  list: sql
    .select({ name: repositories.name })
    .from(repositories)
    .where(and(isListed, gt(repositories.name, raw.placeholder('last'))))
    .orderBy(asc(repositories.name))
    .limit(raw.placeholder('limit'))
    .prepare(),
})

/** One that artifacts are or were in: what everybody is told of. */
export async function findRepository(connection: Connection, name: RepositoryName): Promise<RepositoryRow | undefined> {
  const found = await findAnyRepository(connection, name)
  return found?.listed ? found : undefined
}

/** Also one that holds only blobs so far. */
export async function findAnyRepository(connection: Connection, name: RepositoryName): Promise<RepositoryRow | undefined> {
  return await connection.prepared(statements).find.get({ name })
}

/** The id of the project that a repository belongs to by its name. @throws RegistryError NAME_UNKNOWN */
export async function projectOf(connection: Connection, name: RepositoryName): Promise<number> {
  const { project } = splitProject(name)
  const row = await connection.prepared(statements).project.get({ name: project })
  if (row === undefined) throw new RegistryError('NAME_UNKNOWN', `There is no project ${project}; create it before pushing to it.`, { name })
  return row.id
}

/** Where something may be put; it is listed with its first artifact (`enlist`). @throws RegistryError NAME_UNKNOWN: its project does not exist */
export async function ensureRepository(db: Database, connection: WriteConnection, name: RepositoryName): Promise<RepositoryRow> {
  const found = await findAnyRepository(connection, name)
  if (found !== undefined) return found
  const projectId = await projectOf(connection, name)
  const now = db.clock.now()
  const row = await connection.sql
    .insert(repositories)
    .values({ projectId, name, createdAt: now, updatedAt: now })
    .returning({ id: repositories.id })
    .get()
  return { id: row.id, projectId, name, listed: false }
}

/** From its first artifact on everybody is told of a repository. */
export async function enlist(db: Database, connection: WriteConnection, { id }: RepositoryRow): Promise<void> {
  const now = db.clock.now()
  await connection.sql.update(repositories).set({ listed: true, createdAt: now, updatedAt: now }).where(eq(repositories.id, id))
}

/** All repositories, in the order of their names' bytes. */
export async function listRepositories(db: Database, page: Page): Promise<Slice<RepositoryName>> {
  const rows = await db.read.prepared(statements).list.all(keyset(page))
  return sliceOf(
    rows.map((row) => row.name),
    page,
  )
}
