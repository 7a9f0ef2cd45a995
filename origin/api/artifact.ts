import { createRoute, z } from '@hono/zod-openapi'
import type { Principal } from '../../policy/facts.ts'
import { isTag, type RepositoryName } from '../../registry/spec/names.ts'
import { type ArtifactFilter, addTag, listArtifacts, listTagRows } from '../../schema/artifacts.ts'
import { deleteArtifact } from '../../schema/delete-artifact.ts'
import { immutability } from '../../schema/immutable-rules.ts'
import type { Listing } from '../../schema/listing.ts'
import { repositoryId, repositoryNames } from '../../schema/repositories.ts'
import { empty, json, refusals } from './answers.ts'
import { ArtifactAnswers, detailsOf } from './artifact-answers.ts'
import { Configs } from './artifact-blobs.ts'
import { ARTIFACT, artifactAt, artifactPath, inArtifact, inRepository, REPOSITORY } from './artifact-lookup.ts'
import { Artifact, showTag, Tag } from './artifact-shapes.ts'
import { type ApiParts, created, routes } from './environment.ts'
import { ApiError, badField, notFound } from './errors.ts'
import { flag } from './lists.ts'
import { describePage, pageQuery } from './paging.ts'
import { repositoryIn } from './repository.ts'
import { SEARCHES } from './searches.ts'

const tags = ['artifact']

/** What an answer may hold besides; what there is not (scans, SBOMs) stays out whatever is asked. */
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
  const answers = new ArtifactAnswers({ db, blobs: services.blobs, configs: new Configs() })

  const list = createRoute({
    method: 'get',
    path: `${REPOSITORY}/artifacts`,
    tags,
    operationId: 'listArtifacts',
    summary: 'The artifacts of a repository, the newest first',
    middleware: guard.project('artifact', 'list'),
    request: { params: inRepository, query: z.object({ ...SEARCHES.artifacts.query, ...details }) },
    responses: { 200: json(z.array(Artifact), 'One page of them.'), ...refusals(400, 401, 403, 404) },
  })

  const listOfProject = createRoute({
    method: 'get',
    path: '/projects/{project_name_or_id}/artifacts',
    tags: ['project'],
    operationId: 'listArtifactsOfProject',
    summary: 'The artifacts of all repositories of a project, the newest first',
    middleware: guard.project('artifact', 'list'),
    request: {
      params: z.object({ project_name_or_id: z.string().max(255) }),
      query: z.object({ ...SEARCHES.artifacts.query, ...details, latest_in_repository: flag }),
    },
    responses: { 200: json(z.array(Artifact), 'One page of them.'), ...refusals(400, 401, 403, 404) },
  })

  const get = createRoute({
    method: 'get',
    path: ARTIFACT,
    tags,
    operationId: 'getArtifact',
    summary: 'One artifact, by tag or digest',
    middleware: guard.project('artifact', 'read'),
    request: { params: inArtifact, query: z.object({ ...pageQuery, ...details }) },
    responses: { 200: json(Artifact, 'The artifact.'), ...refusals(400, 401, 403, 404) },
  })

  const remove = createRoute({
    method: 'delete',
    path: ARTIFACT,
    tags,
    operationId: 'deleteArtifact',
    summary: 'Deletes an artifact with its tags, its accessories, and the children that are there for it alone',
    middleware: guard.project('artifact', 'delete'),
    request: { params: inArtifact },
    responses: { 200: empty('Deleted.'), ...refusals(400, 401, 403, 404, 412) },
  })

  const listTags = createRoute({
    method: 'get',
    path: `${ARTIFACT}/tags`,
    tags,
    operationId: 'listTags',
    summary: 'The tags of an artifact',
    middleware: guard.project('tag', 'list'),
    request: { params: inArtifact, query: z.object({ ...SEARCHES.tags.query, with_immutable_status: flag }) },
    responses: { 200: json(z.array(Tag), 'One page of them.'), ...refusals(400, 401, 403, 404) },
  })

  const createTag = createRoute({
    method: 'post',
    path: `${ARTIFACT}/tags`,
    tags,
    operationId: 'createTag',
    summary: 'Gives an artifact one more tag',
    middleware: guard.project('tag', 'create'),
    request: {
      params: inArtifact,
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
    path: `${ARTIFACT}/tags/{tag_name}`,
    tags,
    operationId: 'deleteTag',
    summary: 'Takes a tag off an artifact',
    middleware: guard.project('tag', 'delete'),
    request: { params: inArtifact.extend({ tag_name: z.string().max(128) }) },
    responses: { 200: empty('Taken off.'), ...refusals(400, 401, 403, 404) },
  })

  const found = (name: RepositoryName, text: string) => artifactAt(db, name, text)

  const repository = (principal: Principal, name: RepositoryName) => services.registryFor(principal).repository(name)

  return routes()
    .openapi(list, async (c) => {
      const query = c.req.valid('query')
      const name = repositoryIn(c.var.project, c.req.valid('param').repository_name)
      const id = await repositoryId(db, name)
      if (id === undefined) throw notFound(`repository ${name}`)
      const listing = SEARCHES.artifacts.listing(query)
      const { items, total } = await listArtifacts(db, { repositoryId: id }, filterOf(query, listing), listing)
      describePage(c, query, total, SEARCHES.artifacts)
      return c.json(await answers.ofRepository(items, name, detailsOf(query)), 200)
    })
    .openapi(listOfProject, async (c) => {
      const query = c.req.valid('query')
      const listing = SEARCHES.artifacts.listing(query)
      const filter = { ...filterOf(query, listing), latest: query.latest_in_repository === true ? latestOf(listing) : undefined }
      const { items, total } = await listArtifacts(db, { projectId: c.var.project.id }, filter, listing)
      describePage(c, query, total, SEARCHES.artifacts)
      const names = await repositoryNames(db, [...new Set(items.map(({ repositoryId }) => repositoryId))])
      return c.json(await answers.ofProject(items, names, detailsOf(query)), 200)
    })
    .openapi(get, async (c) => {
      const { repository_name, reference } = c.req.valid('param')
      const name = repositoryIn(c.var.project, repository_name)
      const [artifact] = await answers.ofRepository([await found(name, reference)], name, detailsOf(c.req.valid('query')))
      if (artifact === undefined) throw notFound(`artifact ${name}:${reference}`)
      return c.json(artifact, 200)
    })
    .openapi(remove, async (c) => {
      const { repository_name, reference } = c.req.valid('param')
      const name = repositoryIn(c.var.project, repository_name)
      const { digest } = await found(name, reference)
      const deletion = await deleteArtifact(db, name, digest, c.var.principal.id)
      if (deletion === 'unknown') throw notFound(`artifact ${name}:${reference}`)
      if (deletion !== 'deleted')
        throw new ApiError('VIOLATE_FOREIGN_KEY_CONSTRAINT', `The index ${deletion.named} names this artifact; delete that, and this goes with it.`)
      return c.body(null, 200)
    })
    .openapi(listTags, async (c) => {
      const query = c.req.valid('query')
      const { repository_name, reference } = c.req.valid('param')
      const name = repositoryIn(c.var.project, repository_name)
      const row = await found(name, reference)
      const { items, total } = await listTagRows(db, row.repositoryId, { digest: row.digest }, SEARCHES.tags.listing(query))
      describePage(c, query, total, SEARCHES.tags)
      const isImmutable = await immutability(db.read, { projectId: row.projectId, name })
      return c.json(
        items.map((tag) => showTag(tag, row.id, isImmutable?.(tag.name) ?? false)),
        200,
      )
    })
    .openapi(createTag, async (c) => {
      const { principal, project } = c.var
      const { repository_name, reference } = c.req.valid('param')
      const name = repositoryIn(project, repository_name)
      const { digest } = await found(name, reference)
      const { name: tag } = c.req.valid('json')
      if (project.proxy) throw badField('project_name', 'is a proxy cache: its tags are those of the registry it stands for')
      await addTag(db, name, digest, tag, principal.id)
      return created(c, `${artifactPath(name, digest)}/tags/${tag}`)
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

/** `tags=*` is any tag, `tags=nil` none; otherwise names. Only what stands by itself is listed, but by its digest or with `base=*`. */
function filterOf(query: { readonly q?: string | undefined }, { where = [] }: Listing): ArtifactFilter {
  const { tags: tag, labels, base } = SEARCHES.artifacts.conditions(query)
  const all = base?.match === 'exact' && base.value === '*'
  const word = tag?.match === 'exact' ? tag.value : undefined
  const tagged = word === '*' ? true : word === 'nil' ? false : undefined
  return { top: !all && !where.some(({ field }) => field === 'digest'), tagged, tag: tagged === undefined ? tag : undefined, labels }
}

/** The newest of a repository is the newest of its kind, as in Harbor. @throws ApiError BAD_REQUEST where no kind, or two, are asked for */
function latestOf({ where = [] }: Listing): NonNullable<ArtifactFilter['latest']> {
  const [type, ...others] = where.flatMap(({ field, match }) =>
    field === 'media_type' || field === 'artifact_type' ? [{ of: field, match } as const] : [],
  )
  if (type === undefined || others.length > 0)
    throw badField(
      'q',
      'with latest_in_repository, either media_type or artifact_type has to be there, and not both: q=media_type=application/vnd.oci.image.config.v1+json',
    )
  return type
}
