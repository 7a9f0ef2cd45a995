// What the destination of a task has from us, so that it need not be asked, or sent, again.

import type { CreateHasher } from '../../registry/blob-store.ts'
import type { CopyReport } from '../../registry/copy/options.ts'
import type { Digest } from '../../registry/spec/digests.ts'
import { parseRepositoryName, type RepositoryName, splitProject, type Tag } from '../../registry/spec/names.ts'
import { type Delivery, findDelivery, isDestination, recordDelivery } from '../../schema/deliveries.ts'
import { deliveredWithBlob, repositoriesOfProjectWithBlob } from '../../schema/mount-sources.ts'
import { MOUNT_SOURCES } from '../limits.ts'
import type { CopyWork, Work } from './work.ts'

/** Keeps what the other registry has of us. */
export async function delivered({ db, payload, policy, platforms, createHasher }: CopyWork, tag: Tag, report: CopyReport): Promise<void> {
  const { destinationEndpointId: endpointId } = policy
  if (endpointId === null) return
  const { repository, destination } = payload
  const { digest, bytes } = report
  const referrers = digestOver(report.referrers, createHasher)
  await recordDelivery(db, { endpointId, repository, destination, tag, digest, bytes, referrers, parts: partsOf(platforms) })
}

/** Whether anything went to this repository there from us. */
export async function hasDelivered({ db, payload, policy }: Work): Promise<boolean> {
  const { destinationEndpointId: endpointId } = policy
  return endpointId !== null && (await isDestination(db, { endpointId, destination: payload.destination }))
}

/** Whether the tag there was last delivered from here as this artifact, with the same parts that would be now. */
export async function isDelivered(work: CopyWork, tag: Tag, digest: Digest): Promise<boolean> {
  return (await knownDelivery(work, tag, digest)) !== undefined
}

async function knownDelivery({ db, payload, policy, platforms }: CopyWork, tag: Tag, digest: Digest): Promise<Delivery | undefined> {
  const { destinationEndpointId: endpointId } = policy
  if (endpointId === null) return undefined
  const known = await findDelivery(db, { endpointId, destination: payload.destination, tag })
  return known?.digest === digest && known.repository === payload.repository && known.parts === partsOf(platforms) ? known : undefined
}

function partsOf(platforms: CopyWork['platforms']): string {
  return platforms?.text ?? ''
}

/** Whether just these referrers, and the same parts that would go now, went there with this artifact, so that the other registry need not be asked for each. */
export async function wereDelivered(work: CopyWork, tag: Tag, digest: Digest, referrers: readonly Digest[]): Promise<boolean> {
  return (await knownDelivery(work, tag, digest))?.referrers === digestOver(referrers, work.createHasher)
}

/** There: where we delivered the blob before. Here: repositories of the same project, for the source could name what it does not have. */
export async function mountSources({ db, policy, payload }: Work, digest: Digest): Promise<readonly RepositoryName[]> {
  const { destinationEndpointId: endpointId } = policy
  if (endpointId !== null) return (await deliveredWithBlob(db, endpointId, digest, MOUNT_SOURCES)).map(parseRepositoryName)
  return await repositoriesOfProjectWithBlob(db, splitProject(payload.destination).project, digest, MOUNT_SOURCES)
}

function digestOver(digests: readonly Digest[], createHasher: CreateHasher): Digest {
  const hasher = createHasher('sha256')
  hasher.update(new TextEncoder().encode([...digests].sort().join('\n')))
  return hasher.digest()
}
