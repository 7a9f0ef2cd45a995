import { and, asc, eq, inArray, sql as raw, type SQL } from 'drizzle-orm'
import type { RepositoryName } from '../registry/spec/names.ts'
import { tell } from './changes.ts'
import type { Database } from './database.ts'
import { notFound } from './errors.ts'
import { COUNT, type Listed, type Listing, ordering, window } from './listing.ts'
import { type Match, matches, wished } from './matching.ts'
import { findRepository } from './metadata/repositories.ts'
import { idsOfVisible, type Visibility } from './projects.ts'
import { isListed, repositories } from './tables/repositories.ts'

/** A repository as the API lists it. Times in milliseconds since the epoch. */
export interface RepositorySummary {
  readonly id: number
  readonly projectId: number
  /** With its project: `team/app`. */
  readonly name: RepositoryName
  readonly description: string
  readonly artifactCount: number
  readonly pullCount: number
  readonly createdAt: number
  readonly updatedAt: number
}

const summary = {
  id: repositories.id,
  projectId: repositories.projectId,
  name: repositories.name,
  description: repositories.description,
  artifactCount: raw<number>`(SELECT count(*) FROM manifests WHERE manifests.repository_id = repositories.id AND manifests.top = 1)`.mapWith(Number),
  pullCount: repositories.pullCount,
  createdAt: repositories.createdAt,
  updatedAt: repositories.updatedAt,
}

export interface RepositoryFilter {
  /** undefined: of all projects. */
  readonly projectId?: number | undefined
  /** Only those of projects that somebody may know of. */
  readonly visible?: Visibility | undefined
  /** Equal: with or without its project. */
  readonly name?: Match | undefined
}

const searched = {
  id: repositories.id,
  repository_id: repositories.id,
  project_id: repositories.projectId,
  name: repositories.name,
  description: repositories.description,
  pull_count: repositories.pullCount,
  creation_time: repositories.createdAt,
  update_time: repositories.updatedAt,
}

/** Searched and sorted by their fields. */
export async function listRepositorySummaries(db: Database, filter: RepositoryFilter, listing: Listing): Promise<Listed<RepositorySummary>> {
  const condition = and(conditionOf(db, filter), wished(listing, searched))
  const { limit, offset } = window(listing)
  const order = ordering(listing, searched, repositories.name)
  // First which rows they are: how many artifacts each has would be counted for every row that is sorted.
  const page = db.read.sql
    .select({ id: repositories.id })
    .from(repositories)
    .where(condition)
    .orderBy(...order)
    .limit(limit)
    .offset(offset)
  const items = await db.read.sql
    .select(summary)
    .from(repositories)
    .where(inArray(repositories.id, page))
    .orderBy(...order)
  const counted = await db.read.sql.select({ total: COUNT }).from(repositories).where(condition).get()
  return { items, total: counted?.total ?? 0 }
}

/** The same without saying how many there are: the first by name, at most `limit`. */
export function findRepositorySummaries(db: Database, filter: RepositoryFilter, limit: number): Promise<RepositorySummary[]> {
  return db.read.sql.select(summary).from(repositories).where(conditionOf(db, filter)).orderBy(asc(repositories.name)).limit(limit)
}

function conditionOf(db: Database, { projectId, visible, name }: RepositoryFilter): SQL | undefined {
  const ids = visible && idsOfVisible(db.read.sql, visible)
  return and(
    isListed,
    projectId === undefined ? undefined : eq(repositories.projectId, projectId),
    ids && raw`${repositories.projectId} IN ${ids}`,
    name?.match === 'exact'
      ? raw`(${repositories.name} = ${name.value} OR substr(${repositories.name}, instr(${repositories.name}, '/') + 1) = ${name.value})`
      : matches(repositories.name, name),
  )
}

export async function repositoryId(db: Database, name: RepositoryName): Promise<number | undefined> {
  return (await findRepository(db.read, name))?.id
}

export function findRepositorySummary(db: Database, name: RepositoryName): Promise<RepositorySummary | undefined> {
  return db.read.sql
    .select(summary)
    .from(repositories)
    .where(and(isListed, eq(repositories.name, name)))
    .get()
}

/** When a repository was made, in milliseconds since the epoch; undefined: there is none. */
export async function repositoryCreatedAt(db: Database, name: RepositoryName): Promise<number | undefined> {
  return (await db.read.sql.select({ createdAt: repositories.createdAt }).from(repositories).where(eq(repositories.name, name)).get())?.createdAt
}

/** The names of some repositories, by their ids. */
export async function repositoryNames(db: Database, ids: readonly number[]): Promise<ReadonlyMap<number, RepositoryName>> {
  if (ids.length === 0) return new Map()
  const rows = await db.read.sql
    .select({ id: repositories.id, name: repositories.name })
    .from(repositories)
    .where(inArray(repositories.id, [...ids]))
  return new Map(rows.map(({ id, name }) => [id, name]))
}

/** @throws RegistryError 404 */
export async function describeRepository(db: Database, name: RepositoryName, description: string, actor: string): Promise<void> {
  await db.write(async (connection) => {
    const { sql } = connection
    const found = await sql
      .select()
      .from(repositories)
      .where(and(isListed, eq(repositories.name, name)))
      .get()
    if (found === undefined) throw notFound(`There is no repository ${name}.`)
    if (found.description === description) return
    await sql.update(repositories).set({ description, updatedAt: db.clock.now() }).where(eq(repositories.id, found.id))
    await tell(db, connection, { actor, kind: 'repository.updated', subject: name, projectId: found.projectId })
  })
}
