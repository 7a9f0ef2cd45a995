import type { Repository } from '../registry.ts'
import type { Descriptor } from '../spec/descriptors.ts'
import { algorithmOf, type Digest, hexOf } from '../spec/digests.ts'
import { parseManifest } from '../spec/manifests.ts'
import { OCI_INDEX } from '../spec/media-types.ts'
import { parseTag } from '../spec/names.ts'

/** Adds to the index that lists a subject's referrers where the registry has no API for them (distribution-spec, "Referrers Tag Schema"). */
export function addToReferrersTag(
  repository: Repository,
  subject: Digest,
  referrer: Descriptor,
  inOrder: (key: string, work: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const tag = parseTag(`${algorithmOf(subject)}-${hexOf(subject)}`.slice(0, 128))
  return inOrder(tag, async () => {
    const present = await repository.manifests.get({ tag })
    const listed = present?.descriptor.mediaType === OCI_INDEX ? parseManifest(present.bytes, OCI_INDEX).manifests : []
    if (listed.some(({ digest }) => digest === referrer.digest)) return
    const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [...listed, referrer] }
    await repository.manifests.put({ bytes: new TextEncoder().encode(JSON.stringify(index)), mediaType: OCI_INDEX, tags: [tag] })
  })
}
