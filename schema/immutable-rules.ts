import { and, eq, sql as raw } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import { isAbout } from '../policy/tag-rules.ts'
import type { Digest } from '../registry/spec/digests.ts'
import { type RepositoryName, splitProject, type Tag } from '../registry/spec/names.ts'
import { tell } from './changes.ts'
import type { Connection } from './connection.ts'
import type { Database } from './database.ts'
import { conflict, precondition } from './errors.ts'
import { COUNT, type Listed, type Listing, ordering, window } from './listing.ts'
import { wished } from './matching.ts'
import { immutableRules } from './tables/immutable-rules.ts'

/** Tags of a project that may neither move nor go. */
export type ImmutableRule = typeof immutableRules.$inferSelect
export type NewImmutableRule = Pick<ImmutableRule, 'projectId' | 'disabled' | 'priority' | 'repositories' | 'tags'>

const statements = (sql: LibSQLDatabase) => ({
  inForce: sql
    .select()
    .from(immutableRules)
    .where(and(eq(immutableRules.projectId, raw.placeholder('projectId')), eq(immutableRules.disabled, false)))
    .prepare(),
})

/** @throws RegistryError 409 the project has this very rule */
export async function createImmutableRule(db: Database, rule: NewImmutableRule, actor: string): Promise<number> {
  return await db.write(async (connection) => {
    const { disabled, priority, repositories, tags } = immutableRules
    const same = and(
      eq(immutableRules.projectId, rule.projectId),
      eq(disabled, rule.disabled),
      eq(priority, rule.priority),
      eq(repositories, rule.repositories),
      eq(tags, rule.tags),
    )
    const twin = await connection.sql.select({ id: immutableRules.id }).from(immutableRules).where(same).limit(1).get()
    if (twin !== undefined) throw conflict(`The project has this rule already: it is rule ${twin.id}.`)
    const now = db.clock.now()
    const { id } = await connection.sql
      .insert(immutableRules)
      .values({ ...rule, createdAt: now, updatedAt: now })
      .returning({ id: immutableRules.id })
      .get()
    await tell(db, connection, { actor, kind: 'immutable-rule.created', subject: `immutable-rule:${id}`, projectId: rule.projectId })
    return id
  })
}

/** False: the project has no such rule. */
export async function updateImmutableRule(db: Database, id: number, { projectId, ...patch }: NewImmutableRule, actor: string): Promise<boolean> {
  return await db.write(async (connection) => {
    const changed = await connection.sql
      .update(immutableRules)
      .set({ ...patch, updatedAt: db.clock.now() })
      .where(ofProject(projectId, id))
      .returning({ id: immutableRules.id })
    if (changed.length === 0) return false
    await tell(db, connection, { actor, kind: 'immutable-rule.updated', subject: `immutable-rule:${id}`, projectId })
    return true
  })
}

/** undefined: the project has no such rule. */
export function findImmutableRule(db: Database, projectId: number, id: number): Promise<ImmutableRule | undefined> {
  return db.read.sql.select().from(immutableRules).where(ofProject(projectId, id)).get()
}

/** False: the project has no such rule. */
export async function deleteImmutableRule(db: Database, projectId: number, id: number, actor: string): Promise<boolean> {
  return await db.write(async (connection) => {
    const gone = await connection.sql.delete(immutableRules).where(ofProject(projectId, id)).returning({ id: immutableRules.id })
    if (gone.length === 0) return false
    await tell(db, connection, { actor, kind: 'immutable-rule.deleted', subject: `immutable-rule:${id}`, projectId })
    return true
  })
}

const searched = {
  id: immutableRules.id,
  project_id: immutableRules.projectId,
  disabled: immutableRules.disabled,
  priority: immutableRules.priority,
  creation_time: immutableRules.createdAt,
  update_time: immutableRules.updatedAt,
}

/** Searched and sorted by their fields. */
export async function listImmutableRules(db: Database, projectId: number, listing: Listing): Promise<Listed<ImmutableRule>> {
  const { limit, offset } = window(listing)
  const condition = and(eq(immutableRules.projectId, projectId), wished(listing, searched))
  const items = await db.read.sql
    .select()
    .from(immutableRules)
    .where(condition)
    .orderBy(...ordering(listing, searched, immutableRules.id))
    .limit(limit)
    .offset(offset)
  const counted = await db.read.sql.select({ total: COUNT }).from(immutableRules).where(condition).get()
  return { items, total: counted?.total ?? 0 }
}

/** Tells of each tag of a repository whether it may neither move nor go; undefined: the project has no rule in force. */
export async function immutability(
  connection: Connection,
  { projectId, name }: { readonly projectId: number; readonly name: RepositoryName },
): Promise<((tag: string) => boolean) | undefined> {
  const rules = await connection.prepared(statements).inForce.all({ projectId })
  const { rest } = splitProject(name)
  return rules.length === 0 ? undefined : (tag) => rules.some((rule) => isAbout(rule, rest, tag))
}

/** For functions of this room that move tags or take them away. @throws RegistryError DENIED (412) */
export async function refuseImmutable(
  connection: Connection,
  repository: { readonly projectId: number; readonly name: RepositoryName },
  tags: readonly Tag[] | (() => Promise<readonly Tag[]>),
): Promise<void> {
  const isImmutable = await immutability(connection, repository)
  if (isImmutable === undefined) return
  const kept = (typeof tags === 'function' ? await tags() : tags).find(isImmutable)
  if (kept !== undefined) throw precondition(`The tag ${kept} of ${repository.name} is immutable: a rule of its project keeps it as it is.`)
}

/** The same for whoever takes away what an immutable tag leads to: a part of an index, a layer. @throws RegistryError DENIED (412) */
export async function refuseImmutableAbove(
  connection: Connection,
  repository: { readonly id: number; readonly projectId: number; readonly name: RepositoryName },
  digest: Digest,
): Promise<void> {
  await refuseImmutable(connection, repository, async () =>
    (
      await connection.sql.all<{ name: Tag }>(
        raw`WITH RECURSIVE above(digest) AS (
            SELECT ${digest}
            UNION SELECT m.digest FROM above a
              JOIN manifest_references p ON p.repository_id = ${repository.id} AND p.digest = a.digest
              JOIN manifests m ON m.id = p.manifest_id)
          SELECT t.name FROM above a JOIN tags t ON t.repository_id = ${repository.id} AND t.digest = a.digest`,
      )
    ).map(({ name }) => name),
  )
}

const ofProject = (projectId: number, id: number) => and(eq(immutableRules.projectId, projectId), eq(immutableRules.id, id))
