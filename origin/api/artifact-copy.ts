import { createRoute, z } from '@hono/zod-openapi'
import { copy } from '../../registry/copy.ts'
import type { Repository } from '../../registry/registry.ts'
import { type Digest, isDigest } from '../../registry/spec/digests.ts'
import { parseManifest } from '../../registry/spec/manifests.ts'
import {
  isRepositoryName,
  isTag,
  parseReference,
  parseTag,
  type Reference,
  type RepositoryName,
  splitProject,
  type Tag,
} from '../../registry/spec/names.ts'
import { tagsBeside } from '../../schema/metadata/standing.ts'
import { createHasher } from '../../stores/hasher.ts'
import { empty, refusals } from './answers.ts'
import { artifactAt, artifactPath, inRepository, REPOSITORY } from './artifact-lookup.ts'
import { type ApiParts, created, routes } from './environment.ts'
import { badField } from './errors.ts'
import { repositoryIn } from './repository.ts'

/** Copies an artifact to another repository of this registry, with its tags, its children and what belongs to it. No byte of a blob moves. */
export const artifactCopies = ({ services, guard }: ApiParts) => {
  const copyArtifact = createRoute({
    method: 'post',
    path: `${REPOSITORY}/artifacts`,
    tags: ['artifact'],
    operationId: 'CopyArtifact',
    summary: 'Copies an artifact from another repository',
    middleware: guard.project('artifact', 'create'),
    request: { params: inRepository, query: z.object({ from: z.string().max(1_500) }) },
    responses: { 201: empty('Its address is in Location.'), ...refusals(400, 401, 403, 404) },
  })

  return routes().openapi(copyArtifact, async (c) => {
    const { principal, project } = c.var
    const destination = repositoryIn(project, c.req.valid('param').repository_name)
    const { name, reference } = sourceIn(c.req.valid('query').from)
    // As whoever asks: what may be pulled may be copied, and what may be pushed to, copied to.
    await guard.requireProject(principal, { resource: 'repository', action: 'pull' }, splitProject(name).project)
    const source = await artifactAt(services.db, name, reference.digest ?? reference.tag)
    const registry = services.registryFor(principal)
    const [here, there] = [registry.repository(name), registry.repository(destination)]
    const options = { createHasher, missingChildren: 'skip', mountFrom: async () => [name], clock: services.clock, signal: c.req.raw.signal } as const
    const { digest } = await copy(here, there, { digest: source.digest }, { ...options, tags: source.tags.map((tag) => tag.name), referrers: true })
    for (const tag of await setBeside(here, digest)) await copy(here, there, { tag }, options)
    return created(c, artifactPath(destination, digest))
  })
}

/** The tags that set signatures and the like beside an artifact and its children, as cosign does where it names no subject. */
async function setBeside({ manifests }: Repository, digest: Digest): Promise<readonly Tag[]> {
  const manifest = await manifests.get({ digest })
  const children = manifest === undefined ? [] : parseManifest(manifest.bytes, manifest.descriptor.mediaType).manifests
  const names = [digest, ...children.map((child) => child.digest)].flatMap(tagsBeside).map(parseTag)
  const found = await Promise.all(names.map(async (tag) => ((await manifests.stat({ tag })) === undefined ? [] : [tag])))
  return found.flat()
}

/** `project/repository:tag` or `project/repository@digest`. @throws ApiError BAD_REQUEST */
function sourceIn(text: string): { readonly name: RepositoryName; readonly reference: Reference } {
  const at = text.indexOf('@')
  const end = at >= 0 ? at : text.lastIndexOf(':')
  const [name, reference] = [text.slice(0, end), text.slice(end + 1)]
  const known = at >= 0 ? isDigest(reference) : isTag(reference)
  if (end < 1 || !isRepositoryName(name) || !name.includes('/') || !known) {
    throw badField('from', 'names the source as project/repository:tag or project/repository@digest')
  }
  return { name, reference: parseReference(reference) }
}
