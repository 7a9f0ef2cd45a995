import { and, asc, eq, isNull, sql as raw, type SQL } from 'drizzle-orm'
import type { Digest } from '../registry/spec/digests.ts'
import type { RepositoryName } from '../registry/spec/names.ts'
import { tell } from './changes.ts'
import type { WriteConnection } from './connection.ts'
import type { Database } from './database.ts'
import { conflict, notFound } from './errors.ts'
import { COUNT, contains, type Listed, type Listing, ordering, window } from './listing.ts'
import { wished } from './matching.ts'
import { findRepository } from './metadata/repositories.ts'
import { artifactLabels, labels } from './tables/labels.ts'
import { manifests } from './tables/repositories.ts'
import { valuesOf } from './values.ts'

/** What artifacts are marked with. Times in milliseconds since the epoch. */
export type Label = typeof labels.$inferSelect
/** `projectId` null: of the system, for artifacts of every project. */
export type NewLabel = Pick<Label, 'name' | 'description' | 'color' | 'projectId'>

/** One artifact of a repository. */
export interface ArtifactName {
  readonly repository: RepositoryName
  readonly digest: Digest
}

export interface LabelFilter {
  /** null: those of the system. */
  readonly projectId: number | null
  readonly name?: string | undefined
}

/** Resolves with its id. @throws RegistryError 409 there is one of that name */
export async function createLabel(db: Database, label: NewLabel, actor: string): Promise<number> {
  return await db.write(async (connection) => {
    await refuseTaken(connection, label)
    const now = db.clock.now()
    const { id } = await connection.sql
      .insert(labels)
      .values({ ...label, createdAt: now, updatedAt: now })
      .returning({ id: labels.id })
      .get()
    await tell(db, connection, { actor, kind: 'label.created', ...about({ ...label, id }) })
    return id
  })
}

/** A label stays where it is: only its name, description and color change. @throws RegistryError 404, 409 */
export async function updateLabel(db: Database, id: number, patch: Pick<Label, 'name' | 'description' | 'color'>, actor: string): Promise<void> {
  await db.write(async (connection) => {
    const label = await required(connection, id)
    if (patch.name !== label.name) await refuseTaken(connection, { ...label, ...patch })
    await connection.sql
      .update(labels)
      .set({ name: patch.name, description: patch.description, color: patch.color, updatedAt: db.clock.now() })
      .where(eq(labels.id, id))
    await tell(db, connection, { actor, kind: 'label.updated', ...about({ ...label, ...patch }) })
  })
}

/** Takes it off everything that carries it. @throws RegistryError 404 */
export async function deleteLabel(db: Database, id: number, actor: string): Promise<void> {
  await db.write(async (connection) => {
    const label = await required(connection, id)
    await connection.sql.delete(labels).where(eq(labels.id, id))
    await tell(db, connection, { actor, kind: 'label.deleted', ...about(label) })
  })
}

export function findLabel(db: Database, id: number): Promise<Label | undefined> {
  return db.read.sql.select().from(labels).where(eq(labels.id, id)).get()
}

const fields = {
  id: labels.id,
  name: labels.name,
  description: labels.description,
  color: labels.color,
  project_id: raw`coalesce(${labels.projectId}, 0)`,
  creation_time: labels.createdAt,
  update_time: labels.updatedAt,
}

/** Searched and sorted by their fields. */
export async function listLabels(db: Database, filter: LabelFilter, listing: Listing): Promise<Listed<Label>> {
  const condition = and(inScope(filter.projectId), contains(labels.name, filter.name), wished(listing, fields))
  const { limit, offset } = window(listing)
  const items = await db.read.sql
    .select()
    .from(labels)
    .where(condition)
    .orderBy(...ordering(listing, fields, labels.id))
    .limit(limit)
    .offset(offset)
  const counted = await db.read.sql.select({ total: COUNT }).from(labels).where(condition).get()
  return { items, total: counted?.total ?? 0 }
}

/** The labels of some artifacts, by the id of their manifest, each list by name. */
export async function labelsOf(db: Database, manifestIds: readonly number[]): Promise<ReadonlyMap<number, readonly Label[]>> {
  if (manifestIds.length === 0) return new Map()
  const rows = await db.read.sql
    .select({ manifestId: artifactLabels.manifestId, label: labels })
    .from(artifactLabels)
    .innerJoin(labels, eq(labels.id, artifactLabels.labelId))
    .where(raw`${artifactLabels.manifestId} IN ${valuesOf(manifestIds)}`)
    .orderBy(asc(labels.name), asc(labels.id))
  const byManifest = Map.groupBy(rows, (row) => row.manifestId)
  return new Map([...byManifest].map(([id, held]) => [id, held.map(({ label }) => label)]))
}

/** Marks an artifact. @throws RegistryError 404 there is no such artifact or label here, 409 it carries it already */
export async function addLabel(db: Database, artifact: ArtifactName, labelId: number, actor: string): Promise<void> {
  await db.write(async (connection) => {
    const { sql } = connection
    const manifest = await requiredArtifact(connection, artifact)
    const label = await required(connection, labelId)
    // A label of another project does not exist here.
    if (label.projectId !== null && label.projectId !== manifest.projectId) throw missing(labelId)
    const added = await sql.insert(artifactLabels).values({ manifestId: manifest.id, labelId }).onConflictDoNothing().returning()
    if (added.length === 0) throw conflict(`The artifact carries the label ${label.name} already.`)
    await tell(db, connection, { actor, kind: 'artifact.labelled', ...aboutArtifact(artifact, manifest.projectId, label) })
  })
}

/** Takes a label off an artifact. @throws RegistryError 404 there is no such artifact, or it does not carry the label */
export async function removeLabel(db: Database, artifact: ArtifactName, labelId: number, actor: string): Promise<void> {
  await db.write(async (connection) => {
    const { sql } = connection
    const manifest = await requiredArtifact(connection, artifact)
    const gone = await sql
      .delete(artifactLabels)
      .where(and(eq(artifactLabels.manifestId, manifest.id), eq(artifactLabels.labelId, labelId)))
      .returning()
    if (gone.length === 0) throw missing(labelId)
    const label = await required(connection, labelId)
    await tell(db, connection, { actor, kind: 'artifact.unlabelled', ...aboutArtifact(artifact, manifest.projectId, label) })
  })
}

/** Those manifests that carry any, or all, of these labels. For functions of this room that select from `manifests`. */
export function carrying({ match, ids }: { readonly match: 'any' | 'all'; readonly ids: readonly number[] }): SQL {
  const wanted = [...new Set(ids)]
  const least = match === 'all' ? wanted.length : 1
  return raw`${manifests.id} IN (SELECT l.manifest_id FROM artifact_labels l WHERE l.label_id IN ${wanted} GROUP BY l.manifest_id HAVING count(*) >= ${least})`
}

const inScope = (projectId: number | null) => (projectId === null ? isNull(labels.projectId) : eq(labels.projectId, projectId))

async function refuseTaken({ sql }: WriteConnection, { projectId, name }: Pick<Label, 'projectId' | 'name'>): Promise<void> {
  const taken = await sql
    .select({ id: labels.id })
    .from(labels)
    .where(and(inScope(projectId), eq(labels.name, name)))
    .get()
  if (taken !== undefined) throw conflict(`There is a label ${name} already.`)
}

async function required({ sql }: WriteConnection, id: number): Promise<Label> {
  const label = await sql.select().from(labels).where(eq(labels.id, id)).get()
  if (label === undefined) throw missing(id)
  return label
}

async function requiredArtifact(connection: WriteConnection, { repository: name, digest }: ArtifactName): Promise<{ id: number; projectId: number }> {
  const repository = await findRepository(connection, name)
  const manifest =
    repository &&
    (await connection.sql
      .select({ id: manifests.id, projectId: manifests.projectId })
      .from(manifests)
      .where(and(eq(manifests.repositoryId, repository.id), eq(manifests.digest, digest)))
      .get())
  if (manifest === undefined) throw notFound(`There is no artifact ${name}@${digest}.`)
  return manifest
}

const missing = (id: number) => notFound(`label ${id} not found`)

const about = ({ id, projectId, name }: Pick<Label, 'id' | 'projectId' | 'name'>) => ({
  subject: `label:${id}`,
  detail: { name },
  ...(projectId !== null && { projectId }),
})

const aboutArtifact = ({ repository, digest }: ArtifactName, projectId: number, label: Label) => ({
  subject: `${repository}@${digest}`,
  projectId,
  detail: { label: label.id, name: label.name },
})
