// What belongs to an artifact by a tag that is made of its digest: cosign's signatures, attestations and SBOMs from before referrers.

import type { Repository } from '../../registry/registry.ts'
import type { Digest } from '../../registry/spec/digests.ts'
import { parseManifest } from '../../registry/spec/manifests.ts'
import type { RepositoryName, Tag } from '../../registry/spec/names.ts'
import { parentsOf } from '../../schema/accessories.ts'
import { findArtifact } from '../../schema/artifacts.ts'
import type { Database } from '../../schema/database.ts'
import { digestBeside, tagsBeside } from '../../schema/metadata/standing.ts'
import { SUBJECTS_DEPTH } from '../limits.ts'
import { readFilters } from './filters.ts'
import type { Work } from './work.ts'

/**
 * The tags beside an artifact at the source, and beside its parts where the source is this registry, that the rule's filters keep out: those
 * that they let through are copied as any tag.
 */
export async function besideAt({ policy, payload, source, signal }: Work, digest: Digest): Promise<readonly Tag[]> {
  const filters = readFilters(policy.filters)
  if (tagsBeside(digest).every((tag) => filters.tag(tag))) return []
  const repository = source.open(signal, 'system').repository(payload.repository)
  const found: Tag[] = []
  for (const part of [digest, ...(policy.sourceEndpointId === null ? await partsOf(repository, digest) : [])]) {
    const wanted = tagsBeside(part)
    const slice = await repository.tags.list({ limit: wanted.length, last: part.replace(':', '-') })
    found.push(...(slice?.items ?? []).filter((tag) => wanted.includes(tag) && !filters.tag(tag)))
  }
  return found
}

/**
 * The tags in a repository here that a referrer, or a tag beside an artifact, is about: those of its subject and of the indexes that name that,
 * and of what these refer to in turn.
 */
export async function tagsAbout(
  db: Database,
  repository: RepositoryName,
  from: { readonly digest: Digest } | { readonly tag: Tag },
): Promise<readonly Tag[]> {
  const tags = new Set<Tag>()
  const seen = new Set<Digest>()
  const first = 'tag' in from ? digestBeside(from.tag) : (await findArtifact(db, repository, from))?.subject
  let next = first ? [first] : []
  for (let depth = 0; next.length > 0 && depth < SUBJECTS_DEPTH; depth++) {
    const level = next.filter((digest) => !seen.has(digest))
    next = []
    for (const digest of level) {
      seen.add(digest)
      const artifact = await findArtifact(db, repository, { digest })
      if (artifact === undefined) continue
      for (const { name } of artifact.tags) tags.add(name)
      if (artifact.subject) next.push(artifact.subject)
      next.push(...((await parentsOf(db, artifact.repositoryId, [digest])).get(digest) ?? []))
    }
  }
  return [...tags]
}

async function partsOf({ manifests }: Repository, digest: Digest): Promise<readonly Digest[]> {
  const manifest = await manifests.get({ digest })
  return manifest ? parseManifest(manifest.bytes, manifest.descriptor.mediaType).manifests.map((child) => child.digest) : []
}
