import { z } from '@hono/zod-openapi'
import type { Artifact as Row, TagRow } from '../../schema/artifacts.ts'
import type { RepositorySummary } from '../../schema/repositories.ts'
import { instant } from './environment.ts'

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
    push_time: z.string(),
    pull_time: z.string(),
    annotations: z.record(z.string(), z.string()).optional(),
    references: z.array(z.object({ parent_id: z.number().int(), child_digest: z.string() })),
    tags: z.array(Tag).optional(),
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

export function showArtifact(
  row: Row,
  repository: string,
  children: readonly string[],
  tags: z.infer<typeof Artifact>['tags'],
): z.infer<typeof Artifact> {
  return {
    id: row.id,
    type: typeOf(row),
    media_type: row.configMediaType ?? row.mediaType,
    manifest_media_type: row.mediaType,
    ...(row.artifactType !== null && { artifact_type: row.artifactType }),
    project_id: row.projectId,
    repository_id: row.repositoryId,
    repository_name: repository,
    digest: row.digest,
    size: row.totalSize,
    push_time: instant(row.pushedAt),
    pull_time: maybe(row.pulledAt),
    ...(row.annotations !== null && { annotations: { ...row.annotations } }),
    references: children.map((digest) => ({ parent_id: row.id, child_digest: digest })),
    ...(tags && { tags }),
  }
}

/** Harbor's word for what it is, in capitals. */
function typeOf({ mediaType, configMediaType, artifactType }: Row): string {
  const config = configMediaType ?? ''
  if (config.startsWith('application/vnd.cncf.helm.')) return 'CHART'
  if (config.startsWith('application/vnd.wasm.')) return 'WASM'
  const index = mediaType.includes('manifest.list') || mediaType.includes('image.index')
  // A manifest that names no artifact type is kept under the media type of its config.
  const plain = artifactType === null || artifactType === configMediaType
  if (plain && (index || config.includes('container.image') || config === 'application/vnd.oci.image.config.v1+json')) return 'IMAGE'
  return 'UNKNOWN'
}
