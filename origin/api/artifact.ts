import { createRoute, z } from '@hono/zod-openapi'
import type { Principal } from '../../policy/facts.ts'
import { isDigest } from '../../registry/spec/digests.ts'
import { isTag, parseReference, type RepositoryName } from '../../registry/spec/names.ts'
import {
  type ArtifactFilter,
  addTag,
  findArtifact,
  listArtifacts,
  listReferences,
  listTagRows,
  type Artifact as Row,
} from '../../schema/artifacts.ts'
import { immutability } from '../../schema/immutable-rules.ts'
import { findRepositorySummary } from '../../schema/repositories.ts'
import { empty, json, refusals } from './answers.ts'
import { Artifact, showArtifact, showTag, Tag } from './artifact-shapes.ts'
import { type ApiParts, created, routes } from './environment.ts'
import { badField, notFound } from './errors.ts'
import { exactCondition, listingOf, listQuery, textCondition } from './lists.ts'
import { describePage, pageQuery } from './paging.ts'
import { parseQuery, type Query } from './query.ts'
import { repositoryIn } from './repository.ts'

const tags = ['artifact']
const REPOSITORY = '/projects/{project_name}/repositories/{repository_name}'
const inRepository = z.object({ project_name: z.string().max(255), repository_name: z.string().max(1024) })
const params = inRepository.extend({ reference: z.string().max(256) })
const SORTABLE = ['id', 'digest', 'size', 'push_time', 'pull_time'] as const
const TAGS_SORTABLE = ['name', 'push_time', 'pull_time'] as const
const flag = z.enum(['true', 'false']).optional()

/** What an answer may hold besides; what there is not (scans, SBOMs, labels) stays out whatever is asked. */
const details = {
  with_tag: flag,
  with_label: flag,
  with_scan_overview: flag,
  with_sbom_overview: flag,
  with_signature: flag,
  with_immutable_status: flag,
  with_accessory: flag,
  with_inherited_accessory: flag,
}

export const artifacts = ({ services, guard }: ApiParts) => {
  const { db } = services

  const list = createRoute({
    method: 'get',
    path: `${REPOSITORY}/artifacts`,
    tags,
    operationId: 'listArtifacts',
    summary: 'The artifacts of a repository, the newest first',
    middleware: guard.project('artifact', 'list'),
    request: { params: inRepository, query: z.object({ ...listQuery, ...details }) },
    responses: { 200: json(z.array(Artifact), 'One page of them.'), ...refusals(400, 401, 403, 404) },
  })

  const get = createRoute({
    method: 'get',
    path: `${REPOSITORY}/artifacts/{reference}`,
    tags,
    operationId: 'getArtifact',
    summary: 'One artifact, by tag or digest',
    middleware: guard.project('artifact', 'read'),
    request: { params, query: z.object({ ...pageQuery, ...details }) },
    responses: { 200: json(Artifact, 'The artifact.'), ...refusals(400, 401, 403, 404) },
  })

  const remove = createRoute({
    method: 'delete',
    path: `${REPOSITORY}/artifacts/{reference}`,
    tags,
    operationId: 'deleteArtifact',
    summary: 'Deletes an artifact with its tags',
    middleware: guard.project('artifact', 'delete'),
    request: { params },
    responses: { 200: empty('Deleted.'), ...refusals(400, 401, 403, 404) },
  })

  const listTags = createRoute({
    method: 'get',
    path: `${REPOSITORY}/artifacts/{reference}/tags`,
    tags,
    operationId: 'listTags',
    summary: 'The tags of an artifact',
    middleware: guard.project('tag', 'list'),
    request: { params, query: z.object({ ...listQuery, with_immutable_status: flag }) },
    responses: { 200: json(z.array(Tag), 'One page of them.'), ...refusals(400, 401, 403, 404) },
  })

  const createTag = createRoute({
    method: 'post',
    path: `${REPOSITORY}/artifacts/{reference}/tags`,
    tags,
    operationId: 'createTag',
    summary: 'Gives an artifact one more tag',
    middleware: guard.project('tag', 'create'),
    request: {
      params,
      body: {
        required: true,
        content: {
          'application/json': {
            schema: z
              .object({
                name: z.string().refine(isTag, 'is up to 128 letters, digits, underscores, dots and dashes, and begins with none of . and -'),
              })
              .openapi('NewTag'),
          },
        },
      },
    },
    responses: { 201: empty('Its address is in Location.'), ...refusals(400, 401, 403, 404, 409) },
  })

  const deleteTag = createRoute({
    method: 'delete',
    path: `${REPOSITORY}/artifacts/{reference}/tags/{tag_name}`,
    tags,
    operationId: 'deleteTag',
    summary: 'Takes a tag off an artifact',
    middleware: guard.project('tag', 'delete'),
    request: { params: params.extend({ tag_name: z.string().max(128) }) },
    responses: { 200: empty('Taken off.'), ...refusals(400, 401, 403, 404) },
  })

  const found = async (name: RepositoryName, text: string): Promise<Row> => {
    const row = isReference(text) ? await findArtifact(db, name, parseReference(text)) : undefined
    if (row === undefined) throw notFound(`artifact ${name}:${text}`)
    return row
  }

  const show = async (row: Row, name: RepositoryName, withTags: boolean): Promise<z.infer<typeof Artifact>> => {
    const references = await listReferences(db, row.id)
    const children = references.flatMap(({ kind, digest }) => (kind === 'manifest' ? [digest] : []))
    const isImmutable = withTags ? await immutability(db.read, { projectId: row.projectId, name }) : undefined
    return showArtifact(row, name, children, withTags ? row.tags.map((tag) => showTag(tag, row.id, isImmutable?.(tag.name) ?? false)) : undefined)
  }

  const repository = (principal: Principal, name: RepositoryName) => services.registryFor(principal).repository(name)

  return routes()
    .openapi(list, async (c) => {
      const query = c.req.valid('query')
      const name = repositoryIn(c.var.project, c.req.valid('param').repository_name)
      const summary = await findRepositorySummary(db, name)
      if (summary === undefined) throw notFound(`repository ${name}`)
      const filter = filterOf(parseQuery(query.q, ['tags', 'digest', 'media_type', 'artifact_type']))
      const { items, total } = await listArtifacts(db, summary.id, filter, listingOf(query, SORTABLE))
      describePage(c, query, total)
      return c.json(await Promise.all(items.map((row) => show(row, name, query.with_tag !== 'false'))), 200)
    })
    .openapi(get, async (c) => {
      const { repository_name, reference } = c.req.valid('param')
      const name = repositoryIn(c.var.project, repository_name)
      return c.json(await show(await found(name, reference), name, c.req.valid('query').with_tag !== 'false'), 200)
    })
    .openapi(remove, async (c) => {
      const { repository_name, reference } = c.req.valid('param')
      const name = repositoryIn(c.var.project, repository_name)
      const { digest } = await found(name, reference)
      if (!(await repository(c.var.principal, name).manifests.delete(digest))) throw notFound(`artifact ${name}:${reference}`)
      return c.body(null, 200)
    })
    .openapi(listTags, async (c) => {
      const query = c.req.valid('query')
      const { repository_name, reference } = c.req.valid('param')
      const name = repositoryIn(c.var.project, repository_name)
      const row = await found(name, reference)
      const { exact, part } = textCondition(parseQuery(query.q, ['name']), 'name')
      const filter = { digest: row.digest, name: part, exactName: exact }
      const { items, total } = await listTagRows(db, row.repositoryId, filter, listingOf(query, TAGS_SORTABLE))
      describePage(c, query, total)
      const isImmutable = await immutability(db.read, { projectId: row.projectId, name })
      return c.json(
        items.map((tag) => showTag(tag, row.id, isImmutable?.(tag.name) ?? false)),
        200,
      )
    })
    .openapi(createTag, async (c) => {
      const { principal, project } = c.var
      const { project_name, repository_name, reference } = c.req.valid('param')
      const name = repositoryIn(project, repository_name)
      const { digest } = await found(name, reference)
      const { name: tag } = c.req.valid('json')
      if (project.proxy) throw badField('project_name', 'is a proxy cache: its tags are those of the registry it stands for')
      await addTag(db, name, digest, tag, principal.id)
      return created(c, `/projects/${project_name}/repositories/${encodeURIComponent(repository_name)}/artifacts/${digest}/tags/${tag}`)
    })
    .openapi(deleteTag, async (c) => {
      const { repository_name, reference, tag_name } = c.req.valid('param')
      const name = repositoryIn(c.var.project, repository_name)
      const row = await found(name, reference)
      const tag = row.tags.find((each) => each.name === tag_name)
      if (tag === undefined || !(await repository(c.var.principal, name).tags.delete(tag.name))) throw notFound(`tag ${tag_name}`)
      return c.body(null, 200)
    })
}

/** A tag or a digest; anything else names nothing. */
function isReference(text: string): boolean {
  return isDigest(text) || isTag(text)
}

/** `tags=*` is any tag, `tags=nil` none; otherwise a name. Only what is no child of an index and refers to nothing is listed. */
function filterOf(query: Query): ArtifactFilter {
  const { exact, part } = textCondition(query, 'tags')
  const digest = exactCondition(query, 'digest')
  const mediaType = exactCondition(query, 'media_type')
  if (digest !== undefined && !isDigest(digest)) throw badField('q', 'digest is sha256: or sha512: and its hexadecimal digits')
  return {
    top: digest === undefined,
    tagged: exact === '*' ? true : exact === 'nil' ? false : undefined,
    tag: part,
    exactTag: exact === '*' || exact === 'nil' ? undefined : exact,
    digest,
    mediaTypes: mediaType === undefined ? undefined : [mediaType],
    artifactType: exactCondition(query, 'artifact_type'),
  }
}
