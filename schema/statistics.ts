import { and, eq, isNull, sql as raw, type SQL } from 'drizzle-orm'
import type { Database } from './database.ts'
import { COUNT } from './listing.ts'
import { members, projects } from './tables/projects.ts'
import { isListed, repositories } from './tables/repositories.ts'

/** Harbor's statistics: of all, of public projects, and of those that one user is a member of. */
export interface Statistics {
  readonly projects: { readonly total: number; readonly public: number; readonly member: number }
  readonly repositories: { readonly total: number; readonly public: number; readonly member: number }
  /** Bytes of all projects. */
  readonly storageUsed: number
}

export async function readStatistics(db: Database, userId: number | undefined): Promise<Statistics> {
  const { sql } = db.read
  const isPublic = eq(projects.public, true)
  const isMember =
    userId === undefined
      ? raw`0`
      : raw`${projects.id} IN (SELECT ${members.projectId} FROM ${members} WHERE ${members.kind} = 'user' AND ${members.subjectId} = ${userId})`
  const countProjects = async (more?: SQL) =>
    (
      await sql
        .select({ total: COUNT })
        .from(projects)
        .where(and(isNull(projects.deletedAt), more))
        .get()
    )?.total ?? 0
  const countRepositories = async (more?: SQL) =>
    (
      await sql
        .select({ total: COUNT })
        .from(repositories)
        .innerJoin(projects, eq(projects.id, repositories.projectId))
        .where(and(isListed, more))
        .get()
    )?.total ?? 0
  const used = await sql
    .select({ bytes: raw<number>`coalesce(sum(${projects.storageUsed}), 0)`.mapWith(Number) })
    .from(projects)
    .get()
  return {
    projects: { total: await countProjects(), public: await countProjects(isPublic), member: await countProjects(isMember) },
    repositories: { total: await countRepositories(), public: await countRepositories(isPublic), member: await countRepositories(isMember) },
    storageUsed: used?.bytes ?? 0,
  }
}
