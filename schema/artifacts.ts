import { and, asc, desc, eq, exists, inArray, sql as raw, type SQL } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import type { Digest } from '../registry/spec/digests.ts'
import type { Reference, RepositoryName, Tag } from '../registry/spec/names.ts'
import type { Database } from './database.ts'
import { conflict, notFound } from './errors.ts'
import { carrying } from './labels.ts'
import { COUNT, type Listed, type Listing, nearerEnd, ordering, window } from './listing.ts'
import { type Match, matches, wished } from './matching.ts'
import { findRepository } from './metadata/repositories.ts'
import { setTag } from './metadata/tags.ts'
import { readRows } from './rows.ts'
import { manifestReferences, manifests, repositories, tags } from './tables/repositories.ts'
import { valuesOf } from './values.ts'

/** A manifest as the API shows it. `totalSize` is of the manifest and all that it names; times in milliseconds since the epoch. */
export type Artifact = ArtifactRow & { readonly tags: readonly TagRow[] }
type ArtifactRow = Pick<typeof manifests.$inferSelect, keyof typeof shownArtifact>

const shownArtifact = {
  id: manifests.id,
  repositoryId: manifests.repositoryId,
  projectId: manifests.projectId,
  digest: manifests.digest,
  mediaType: manifests.mediaType,
  artifactType: manifests.artifactType,
  configMediaType: manifests.configMediaType,
  kind: manifests.kind,
  totalSize: manifests.totalSize,
  subject: manifests.subject,
  annotations: manifests.annotations,
  pushedAt: manifests.pushedAt,
  pulledAt: manifests.pulledAt,
}

/** A tag as the API shows it. Times in milliseconds since the epoch. */
export type TagRow = Pick<typeof tags.$inferSelect, keyof typeof shownTag>

const shownTag = {
  id: tags.id,
  repositoryId: tags.repositoryId,
  name: tags.name,
  digest: tags.digest,
  pushedAt: tags.pushedAt,
  pulledAt: tags.pulledAt,
}

export interface ArtifactFilter {
  /** Only those with a tag, or without any. */
  readonly tagged?: boolean | undefined
  /** The names of its tags: of several at once, each by a tag of its own. */
  readonly tag?: Match | undefined
  /** Only those that carry any, or all, of these labels. */
  readonly labels?: { readonly match: 'any' | 'all'; readonly ids: readonly number[] } | undefined
  /** Only those that stand by themselves: with a tag or no child of an index, and said about no other (Harbor lists so). */
  readonly top?: boolean | undefined
  /** Of each repository only the one that was pushed last, of those of a type that are no child and no referrer. */
  readonly latest?: { readonly of: 'media_type' | 'artifact_type'; readonly match: Match } | undefined
}

/** Where to look: one repository, or all of a project. */
export type ArtifactPlace = { readonly repositoryId: number } | { readonly projectId: number }

/** The media type that is shown, written as in the index of it: only so does SQLite know it again. */
function shownType(table: 'manifests' | 'n'): SQL {
  const column = (name: string) => raw.raw(`${table}.${name}`)
  return raw`CASE WHEN ${column('config_media_type')} IS NULL THEN ${column('media_type')} ELSE ${column('config_media_type')} END`
}

/** What they are searched and sorted by. */
const searched = {
  id: manifests.id,
  type: manifests.kind,
  media_type: shownType('manifests'),
  manifest_media_type: manifests.mediaType,
  artifact_type: manifests.artifactType,
  project_id: manifests.projectId,
  repository_id: manifests.repositoryId,
  digest: manifests.digest,
  size: manifests.totalSize,
  push_time: manifests.pushedAt,
  pull_time: manifests.pulledAt,
}
/** Harbor's time of what was never pulled: who looks for what was not pulled since some day means that, too. */
const NEVER = Date.parse('0001-01-01T00:00:00Z')
const wanted = { ...searched, pull_time: raw`coalesce(${manifests.pulledAt}, ${NEVER})` }

/** Newest push first unless sorted by their fields. */
export async function listArtifacts(db: Database, place: ArtifactPlace, filter: ArtifactFilter, listing: Listing): Promise<Listed<Artifact>> {
  const { sql } = db.read
  const selective = isSelective(filter, listing)
  const condition = and(conditionOf(sql, place, filter, selective), wished(listing, wanted))
  const { ids, total } = await pageOfIds(db, condition, selective, listing)
  if (ids.length === 0) return { items: [], total }
  const found = await readRows(sql, shownArtifact, raw`FROM ${manifests} WHERE ${manifests.id} IN ${valuesOf(ids)}`)
  const rows = new Map(found.map((row) => [row.id, row]))
  return {
    items: await withTags(
      db,
      ids.flatMap((id) => rows.get(id) ?? []),
    ),
    total,
  }
}

/** Whether few rows are left of a repository: then they are found first and ordered and counted after that. */
const isSelective = ({ tag, labels, latest }: ArtifactFilter, { where = [] }: Listing) =>
  tag !== undefined ||
  labels !== undefined ||
  latest !== undefined ||
  where.some(({ field, match: { match } }) => (field === 'id' || field === 'digest') && match !== 'range' && match !== 'part')

function orderOf(listing: Listing, reversed: boolean): SQL[] {
  if ((listing.sort ?? []).length > 0) return ordering(listing, searched, manifests.id, reversed)
  const term = reversed ? asc : desc
  return [term(manifests.pushedAt), term(manifests.id)]
}

/** The ids of a page, and how many rows there are on all pages. */
async function pageOfIds(
  db: Database,
  condition: SQL | undefined,
  selective: boolean,
  listing: Listing,
): Promise<{ readonly ids: readonly number[]; readonly total: number }> {
  const { sql } = db.read
  const count = async () => (await sql.select({ total: COUNT }).from(manifests).where(condition).get())?.total ?? 0
  // What is many rows of an index is counted there, and read from the nearer end; what is hard to find is found and counted at once.
  const known = selective ? undefined : await count()
  const { limit, offset, fromEnd } = known === undefined ? { ...window(listing), fromEnd: false } : nearerEnd(listing, known)
  const rows = await sql
    .select({ id: manifests.id, total: selective ? raw<number>`count(*) OVER ()`.mapWith(Number) : raw<null>`NULL` })
    .from(manifests)
    .where(condition)
    .orderBy(...orderOf(listing, fromEnd))
    .limit(limit)
    .offset(offset)
  const ids = rows.map(({ id }) => id)
  return { ids: fromEnd ? ids.reverse() : ids, total: known ?? rows[0]?.total ?? (await count()) }
}

function conditionOf(sql: LibSQLDatabase, place: ArtifactPlace, filter: ArtifactFilter, selective: boolean): SQL | undefined {
  const tagsOf = (more?: SQL) =>
    sql
      .select({ one: raw`1` })
      .from(tags)
      .where(and(eq(tags.repositoryId, manifests.repositoryId), eq(tags.digest, manifests.digest), more))
  // In one repository its tags are read once, not those of each manifest.
  const havingTag = (more?: SQL) =>
    'repositoryId' in place
      ? inArray(
          manifests.digest,
          sql
            .select({ digest: tags.digest })
            .from(tags)
            .where(and(eq(tags.repositoryId, place.repositoryId), more)),
        )
      : exists(tagsOf(more))
  return and(
    'repositoryId' in place
      ? eq(manifests.repositoryId, place.repositoryId)
      : filter.latest === undefined
        ? eq(manifests.projectId, place.projectId)
        : raw`+${manifests.projectId} = ${place.projectId}`,
    filter.tagged === undefined ? undefined : eq(manifests.tagged, filter.tagged),
    ...(filter.tag === undefined ? [] : eachOf(filter.tag).map((match) => havingTag(matches(tags.name, match)))),
    filter.labels === undefined ? undefined : carrying(filter.labels),
    // With a plus no index is looked up by it: the order that one would give is not worth reading the whole repository for.
    filter.top === true ? (selective ? raw`+${manifests.top} = 1` : eq(manifests.top, true)) : undefined,
    filter.latest === undefined ? undefined : latestOf(place, filter.latest),
  )
}

/** An artifact has many tags, so that all of some names are a wish each. */
const eachOf = (match: Match): readonly Match[] => (match.match === 'all' ? match.values.map((value) => ({ match: 'exact', value })) : [match])

/** Those that were pushed last to their repositories, of those of a type that stand by themselves. */
function latestOf(place: ArtifactPlace, { of, match }: NonNullable<ArtifactFilter['latest']>): SQL {
  const type = of === 'media_type' ? shownType('n') : raw`n.artifact_type`
  const where = 'repositoryId' in place ? raw`r.id = ${place.repositoryId}` : raw`r.project_id = ${place.projectId}`
  return raw`${manifests.id} IN (SELECT (SELECT n.id FROM manifests n WHERE n.repository_id = r.id AND n.top = 1 AND ${matches(type, match)}
    ORDER BY n.pushed_at DESC, n.id DESC LIMIT 1) FROM repositories r WHERE ${where})`
}

export async function findArtifact(db: Database, name: RepositoryName, reference: Reference): Promise<Artifact | undefined> {
  const repository = await findRepository(db.read, name)
  if (repository === undefined) return undefined
  const { sql } = db.read
  const digest =
    reference.digest ??
    (
      await sql
        .select({ digest: tags.digest })
        .from(tags)
        .where(and(eq(tags.repositoryId, repository.id), eq(tags.name, reference.tag)))
        .get()
    )?.digest
  if (digest === undefined) return undefined
  const rows = await sql
    .select(shownArtifact)
    .from(manifests)
    .where(and(eq(manifests.repositoryId, repository.id), eq(manifests.digest, digest)))
  return (await withTags(db, rows))[0]
}

async function withTags(db: Database, rows: readonly ArtifactRow[]): Promise<Artifact[]> {
  if (rows.length === 0) return []
  const found = await readRows(
    db.read.sql,
    { ...shownTag, manifestId: manifests.id },
    raw`FROM ${manifests} JOIN ${tags} ON ${tags.repositoryId} = ${manifests.repositoryId} AND ${tags.digest} = ${manifests.digest}
      WHERE ${manifests.id} IN ${valuesOf(rows.map(({ id }) => id))}`,
  )
  const byManifest = Map.groupBy(found.sort(byName), ({ manifestId }) => manifestId)
  return rows.map((row) => ({ ...row, tags: byManifest.get(row.id) ?? [] }))
}

/** As SQLite orders them: tags are ASCII. */
const byName = (a: { readonly name: Tag }, b: { readonly name: Tag }) => (a.name < b.name ? -1 : 1)

const searchedOfTag = {
  id: tags.id,
  name: tags.name,
  repository_id: tags.repositoryId,
  artifact_id: raw`(SELECT m.id FROM manifests m WHERE m.repository_id = ${tags.repositoryId} AND m.digest = ${tags.digest})`,
  push_time: tags.pushedAt,
  pull_time: tags.pulledAt,
}

/** The tags of one artifact, or of the whole repository: by name, or searched and sorted by their fields. */
export async function listTagRows(
  db: Database,
  repositoryId: number,
  filter: { readonly digest?: Digest | undefined },
  listing: Listing,
): Promise<Listed<TagRow>> {
  const condition = and(
    eq(tags.repositoryId, repositoryId),
    filter.digest === undefined ? undefined : eq(tags.digest, filter.digest),
    wished(listing, { ...searchedOfTag, pull_time: raw`coalesce(${tags.pulledAt}, ${NEVER})` }),
  )
  const { limit, offset } = window(listing)
  const items = await db.read.sql
    .select(shownTag)
    .from(tags)
    .where(condition)
    .orderBy(...ordering(listing, searchedOfTag, tags.name))
    .limit(limit)
    .offset(offset)
  const counted = await db.read.sql.select({ total: COUNT }).from(tags).where(condition).get()
  return { items, total: counted?.total ?? 0 }
}

/** Gives a manifest that is there one more tag. @throws RegistryError 404 there is no such artifact, 409 the tag exists */
export async function addTag(db: Database, name: RepositoryName, digest: Digest, tag: Tag, actor: string): Promise<void> {
  await db.write(async (connection) => {
    const { sql } = connection
    const repository = await findRepository(connection, name)
    const manifest =
      repository &&
      (await sql
        .select({ id: manifests.id })
        .from(manifests)
        .where(and(eq(manifests.repositoryId, repository.id), eq(manifests.digest, digest)))
        .get())
    if (repository === undefined || manifest === undefined) throw notFound(`There is no artifact ${name}@${digest}.`)
    const taken = await sql
      .select({ id: tags.id })
      .from(tags)
      .where(and(eq(tags.repositoryId, repository.id), eq(tags.name, tag)))
      .get()
    if (taken !== undefined) throw conflict(`The tag ${tag} exists in ${name} already.`)
    await setTag(db, connection, repository, tag, digest, actor)
  })
}

/** The indexes of the same repository that name this manifest. */
export function listParents(db: Database, repository: RepositoryName, digest: Digest): Promise<{ readonly digest: Digest }[]> {
  return db.read.sql
    .select({ digest: manifests.digest })
    .from(manifestReferences)
    .innerJoin(manifests, eq(manifests.id, manifestReferences.manifestId))
    .innerJoin(repositories, eq(repositories.id, manifestReferences.repositoryId))
    .where(and(eq(repositories.name, repository), eq(manifestReferences.digest, digest), eq(manifestReferences.kind, 'manifest')))
}
