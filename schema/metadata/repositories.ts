import { and, asc, eq, gt, isNull, sql as raw } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import { RegistryError } from '../../registry/spec/errors.ts'
import { type RepositoryName, splitProject } from '../../registry/spec/names.ts'
import type { Page, Slice } from '../../registry/spec/pages.ts'
import type { Connection, WriteConnection } from '../connection.ts'
import type { Database } from '../database.ts'
import { projects } from '../tables/projects.ts'
import { repositories } from '../tables/repositories.ts'
import { keyset, sliceOf } from './paging.ts'

export interface RepositoryRow {
  readonly id: number
  readonly projectId: number
  readonly name: RepositoryName
}

const statements = (sql: LibSQLDatabase) => ({
  find: sql
    .select({ id: repositories.id, projectId: repositories.projectId, name: repositories.name })
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
    .where(gt(repositories.name, raw.placeholder('last')))
    .orderBy(asc(repositories.name))
    .limit(raw.placeholder('limit'))
    .prepare(),
})

export async function findRepository(connection: Connection, name: RepositoryName): Promise<RepositoryRow | undefined> {
  return await connection.prepared(statements).find.get({ name })
}

/** The id of the project that a repository belongs to by its name. @throws RegistryError NAME_UNKNOWN */
export async function projectOf(connection: Connection, name: RepositoryName): Promise<number> {
  const { project } = splitProject(name)
  const row = await connection.prepared(statements).project.get({ name: project })
  if (row === undefined) throw new RegistryError('NAME_UNKNOWN', `There is no project ${project}; create it before pushing to it.`, { name })
  return row.id
}

/** The repository, which comes into being with the first thing put into it. @throws RegistryError NAME_UNKNOWN: its project does not exist */
export async function ensureRepository(db: Database, connection: WriteConnection, name: RepositoryName): Promise<RepositoryRow> {
  const found = await findRepository(connection, name)
  if (found !== undefined) return found
  const projectId = await projectOf(connection, name)
  const now = db.clock.now()
  const row = await connection.sql
    .insert(repositories)
    .values({ projectId, name, createdAt: now, updatedAt: now })
    .returning({ id: repositories.id })
    .get()
  return { id: row.id, projectId, name }
}

/** All repositories, in the order of their names' bytes. */
export async function listRepositories(db: Database, page: Page): Promise<Slice<RepositoryName>> {
  const rows = await db.read.prepared(statements).list.all(keyset(page))
  return sliceOf(
    rows.map((row) => row.name),
    page,
  )
}
