import { createHash, randomBytes } from 'node:crypto'
import { type ControlPlaneOptions, type RunningControlPlane, startControlPlane } from '../../control-plane/start.ts'
import { systemClock } from '../../registry/clock.ts'
import { GRACE_MS } from '../../registry/garbage/limits.ts'
import { type Digest, parseDigest } from '../../registry/spec/digests.ts'
import { OCI_CONFIG, OCI_MANIFEST } from '../../registry/spec/media-types.ts'
import { parseRepositoryName, parseTag } from '../../registry/spec/names.ts'
import { createHasher } from '../../stores/hasher.ts'
import type { BareRegistry } from './bare-registry.ts'

/** The control plane of a bare registry. */
export function controlPlaneOf(site: BareRegistry, options: Partial<ControlPlaneOptions> = {}): RunningControlPlane {
  return startControlPlane({
    db: site.database,
    local: site.local,
    blobs: site.blobs,
    garbageGraceMs: GRACE_MS,
    unseal: async (sealed) => sealed,
    fetchFor: () => fetch,
    webhookFetch: () => fetch,
    webhooksEnabled: async () => true,
    pullToken: async () => 'none',
    host: 'registry.test',
    createHasher,
    clock: systemClock,
    log: site.log,
    owner: 'one',
    concurrency: 4,
    projectOwner: 1,
    ...options,
  })
}

const sha256 = (bytes: Uint8Array): Digest => parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)

/** An image of one layer, pushed by a user; resolves with its digest. */
export async function pushLayer(site: BareRegistry, name: string, tag: string, layer: Uint8Array = randomBytes(10_000)): Promise<Digest> {
  const repository = site.local.as('user:1').repository(parseRepositoryName(name))
  const config = Buffer.from('{}')
  for (const bytes of [config, layer]) {
    const begun = await repository.uploads.begin()
    await repository.uploads.append(begun.id, new Blob([new Uint8Array(bytes)]).stream())
    await repository.uploads.finish(begun.id, sha256(bytes))
  }
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: OCI_CONFIG, digest: sha256(config), size: config.byteLength },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: sha256(layer), size: layer.byteLength }],
    }),
  )
  return (await repository.manifests.put({ bytes, mediaType: OCI_MANIFEST, tags: [parseTag(tag)] })).descriptor.digest
}
