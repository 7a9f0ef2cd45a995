import { z } from '@hono/zod-openapi'
import type { Descriptor, Platform as GivenPlatform } from '../../registry/spec/descriptors.ts'
import type { Digest } from '../../registry/spec/digests.ts'
import type { RepositoryName } from '../../registry/spec/names.ts'
import type { Artifact as Row, TagRow } from '../../schema/artifacts.ts'
import type { RepositorySummary } from '../../schema/repositories.ts'
import { Accessory } from './accessory-shapes.ts'
import { kindOf } from './artifact-kinds.ts'
import { additionLink } from './artifact-lookup.ts'
import { instant } from './environment.ts'
import { Label } from './label.ts'

export const Repository = z
  .object({
    id: z.number().int(),
    project_id: z.number().int(),
    name: z.string(),
    description: z.string(),
    artifact_count: z.number().int(),
    pull_count: z.number().int(),
    creation_time: z.string(),
    update_time: z.string(),
  })
  .openapi('Repository')

export const Tag = z
  .object({
    id: z.number().int(),
    repository_id: z.number().int(),
    artifact_id: z.number().int(),
    name: z.string(),
    push_time: z.string(),
    pull_time: z.string(),
    immutable: z.boolean(),
  })
  .openapi('Tag')

const Platform = z
  .object({ architecture: z.string(), os: z.string(), variant: z.string(), 'os.version': z.string(), 'os.features': z.array(z.string()) })
  .partial()
  .openapi('Platform')

const Reference = z
  .object({
    parent_id: z.number().int(),
    child_id: z.number().int(),
    child_digest: z.string(),
    platform: Platform.optional(),
    annotations: z.record(z.string(), z.string()).optional(),
    urls: z.array(z.string()).optional(),
  })
  .openapi('Reference')

export const Artifact = z
  .object({
    id: z.number().int(),
    type: z.string(),
    media_type: z.string(),
    manifest_media_type: z.string(),
    artifact_type: z.string().optional(),
    project_id: z.number().int(),
    repository_id: z.number().int(),
    repository_name: z.string(),
    digest: z.string(),
    size: z.number().int(),
    icon: z.string(),
    push_time: z.string(),
    pull_time: z.string(),
    extra_attrs: z.record(z.string(), z.unknown()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
    references: z.array(Reference),
    tags: z.array(Tag).optional(),
    addition_links: z.record(z.string(), z.object({ href: z.string(), absolute: z.boolean() })),
    labels: z.array(Label).optional(),
    accessories: z.array(Accessory).optional(),
    inherited_accessories: z.array(Accessory).optional(),
  })
  .openapi('Artifact')

/** What Harbor shows of something that was never pulled. */
const NEVER = '0001-01-01T00:00:00.000Z'
const maybe = (time: number | null) => (time === null ? NEVER : instant(time))

export const showRepository = (row: RepositorySummary): z.infer<typeof Repository> => ({
  id: row.id,
  project_id: row.projectId,
  name: row.name,
  description: row.description,
  artifact_count: row.artifactCount,
  pull_count: row.pullCount,
  creation_time: instant(row.createdAt),
  update_time: instant(row.updatedAt),
})

export const showTag = (row: TagRow, artifactId: number, immutable: boolean): z.infer<typeof Tag> => ({
  id: row.id,
  repository_id: row.repositoryId,
  artifact_id: artifactId,
  name: row.name,
  push_time: instant(row.pushedAt),
  pull_time: maybe(row.pulledAt),
  immutable,
})

/** What is shown of an artifact beside its own row. */
export interface ArtifactInside {
  /** Of an index; `descriptor` as it names the child, `id` undefined where the child is not here. */
  readonly children: readonly { readonly digest: Digest; readonly id: number | undefined; readonly descriptor: Descriptor | undefined }[]
  /** Of an image or a chart, where it could be read. */
  readonly config: Readonly<Record<string, unknown>> | undefined
  readonly tags: z.infer<typeof Tag>[] | undefined
  readonly labels: z.infer<typeof Label>[] | undefined
  readonly accessories: z.infer<typeof Accessory>[] | undefined
  readonly inherited: z.infer<typeof Accessory>[] | undefined
}

export function showArtifact(row: Row, repository: RepositoryName, inside: ArtifactInside): z.infer<typeof Artifact> {
  const kind = kindOf(row)
  const { children, config, tags, labels, accessories, inherited } = inside
  return {
    id: row.id,
    type: kind.name,
    media_type: row.configMediaType ?? row.mediaType,
    manifest_media_type: row.mediaType,
    ...(row.artifactType !== null && { artifact_type: row.artifactType }),
    project_id: row.projectId,
    repository_id: row.repositoryId,
    repository_name: repository,
    digest: row.digest,
    size: row.totalSize,
    icon: kind.icon.digest,
    push_time: instant(row.pushedAt),
    pull_time: maybe(row.pulledAt),
    ...(config && { extra_attrs: { ...config } }),
    ...(row.annotations !== null && { annotations: { ...row.annotations } }),
    references: children.map(({ digest, id, descriptor }) => ({
      parent_id: row.id,
      child_id: id ?? 0,
      child_digest: digest,
      ...(descriptor?.platform && { platform: platformOf(descriptor.platform) }),
      ...(descriptor?.annotations && { annotations: { ...descriptor.annotations } }),
      ...(descriptor?.urls && { urls: [...descriptor.urls] }),
    })),
    addition_links: Object.fromEntries([...kind.additions, 'vulnerabilities'].map((name) => [name, additionLink(repository, row.digest, name)])),
    ...(tags && { tags }),
    ...(labels && { labels }),
    ...(accessories && { accessories }),
    ...(inherited && { inherited_accessories: inherited }),
  }
}

/** Whoever pushed the index wrote it: what is no text there is left out. */
function platformOf(platform: GivenPlatform): z.infer<typeof Platform> {
  const shown: z.infer<typeof Platform> = {}
  for (const key of ['architecture', 'os', 'variant', 'os.version'] as const) {
    const value = platform[key]
    if (typeof value === 'string') shown[key] = value
  }
  const features = platform['os.features']
  if (Array.isArray(features)) shown['os.features'] = features.filter((each) => typeof each === 'string')
  return shown
}
