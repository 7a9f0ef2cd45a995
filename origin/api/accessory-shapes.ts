import { z } from '@hono/zod-openapi'
import type { RepositoryName } from '../../registry/spec/names.ts'
import type { Accessory as Row } from '../../schema/accessories.ts'
import { instant } from './environment.ts'
import { ICONS } from './icons.ts'

export const Accessory = z
  .object({
    id: z.number().int(),
    artifact_id: z.number().int(),
    subject_artifact_id: z.number().int(),
    subject_artifact_digest: z.string(),
    subject_artifact_repo: z.string(),
    size: z.number().int(),
    digest: z.string(),
    type: z.string(),
    icon: z.string(),
    creation_time: z.string(),
  })
  .openapi('Accessory')

/** Harbor's words for what an accessory is, by what its type begins with. */
const TYPES: readonly (readonly [string, string])[] = [
  ['application/vnd.dev.cosign.', 'signature.cosign'],
  ['application/vnd.dev.sigstore.bundle', 'signature.cosign'],
  ['application/vnd.cncf.notary.signature', 'signature.notation'],
  ['application/vnd.nydus.', 'accelerator.nydus'],
]

export function accessoryType({ artifactType, configMediaType }: Pick<Row, 'artifactType' | 'configMediaType'>): string {
  const known = TYPES.find(([prefix]) => artifactType?.startsWith(prefix) || configMediaType?.startsWith(prefix))
  // Cosign before OCI 1.1 pushes an image with an ordinary config; what stands beside another by its tag is its signature.
  const plain = artifactType === null || artifactType === 'application/vnd.oci.image.config.v1+json'
  return known?.[1] ?? (plain ? 'signature.cosign' : 'subject.accessory')
}

export const isSignature = (row: Row) => accessoryType(row).startsWith('signature.')

export function showAccessory(row: Row, repository: RepositoryName): z.infer<typeof Accessory> {
  return {
    id: row.id,
    artifact_id: row.id,
    subject_artifact_id: row.subjectId ?? 0,
    subject_artifact_digest: row.subject,
    subject_artifact_repo: repository,
    size: row.size,
    digest: row.digest,
    type: accessoryType(row),
    icon: isSignature(row) ? ICONS.signature.digest : ICONS.other.digest,
    creation_time: instant(row.pushedAt),
  }
}
