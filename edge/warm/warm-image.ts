import { giveBack } from '../../registry/lent.ts'
import type { Manifest, Repository } from '../../registry/registry.ts'
import type { Descriptor } from '../../registry/spec/descriptors.ts'
import { type Digest, isDigest } from '../../registry/spec/digests.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { parseManifest } from '../../registry/spec/manifests.ts'
import { type Reference, referenceText } from '../../registry/spec/names.ts'
import { isPlatform, platformText } from '../../registry/spec/platforms.ts'
import { BLOBS_AT_ONCE, PROGRESS_BYTES, WARM_MANIFESTS } from './limits.ts'

/** How a warming gets on. Sizes are bytes. */
export type WarmEvent =
  /** All manifests are here; this is what they need. */
  | { readonly event: 'plan'; readonly digest: string; readonly manifests: number; readonly blobs: number; readonly bytes: number }
  /** Told every PROGRESS_BYTES. */
  | { readonly event: 'progress'; readonly digest: string; readonly done: number; readonly size: number }
  | { readonly event: 'blob'; readonly digest: string; readonly size: number }
  | { readonly event: 'done'; readonly digest: string; readonly manifests: number; readonly blobs: number; readonly bytes: number }

export interface WarmOptions {
  /** `linux/amd64`, `linux/arm64/v8`: those of them that are there; empty: every platform that is there. */
  readonly platforms: readonly string[]
  readonly signal: AbortSignal
  readonly tell: (event: WarmEvent) => void
}

/**
 * Pulls an image as its clients would, and throws the bytes away: what the repository's cache keeps is what stays.
 * @throws RegistryError MANIFEST_UNKNOWN, also when an index has none of the platforms, and what pulling throws
 */
export async function warmImage(repository: Repository, reference: Reference, { platforms, signal, tell }: WarmOptions): Promise<void> {
  const root = await repository.manifests.get(reference)
  if (root === undefined) {
    throw new RegistryError('MANIFEST_UNKNOWN', `${repository.name} has no ${referenceText(reference)}.`)
  }
  const { manifests, blobs } = await needs(repository, root, platforms, signal)
  const bytes = [...blobs.values()].reduce((sum, size) => sum + size, 0)
  const sum = { digest: root.descriptor.digest, manifests, blobs: blobs.size, bytes }
  tell({ event: 'plan', ...sum })
  const queue = blobs.entries()
  const take = async () => {
    for (const [digest, size] of queue) await drain(repository, digest, size, { signal, tell })
  }
  await Promise.all(Array.from({ length: BLOBS_AT_ONCE }, take))
  tell({ event: 'done', ...sum })
}

/** The manifests under a root, each fetched, and the blobs that they name. */
async function needs(repository: Repository, root: Manifest, platforms: readonly string[], signal: AbortSignal) {
  const blobs = new Map<Digest, number>()
  const seen = new Set<string>([root.descriptor.digest])
  const waiting = [root]
  const offered = new Set<string>()
  let chosen = false
  for (let manifest = waiting.pop(); manifest !== undefined; manifest = waiting.pop()) {
    const parsed = parseManifest(manifest.bytes, manifest.descriptor.mediaType)
    for (const { digest, size, urls } of parsed.blobs) if (isDigest(digest) && urls === undefined) blobs.set(digest, size)
    for (const { platform } of parsed.manifests) if (platform !== undefined && platform.os !== 'unknown') offered.add(platformText(platform))
    for (const child of parsed.manifests.filter((each) => wanted(each, platforms))) {
      chosen ||= child.platform !== undefined
      signal.throwIfAborted()
      if (seen.has(child.digest) || !isDigest(child.digest)) continue
      if (seen.size >= WARM_MANIFESTS) throw new RegistryError('SIZE_INVALID', `More than ${WARM_MANIFESTS} manifests are not warmed at once.`)
      seen.add(child.digest)
      const found = await repository.manifests.get({ digest: child.digest })
      // An index may name what its registry does not have.
      if (found !== undefined) waiting.push(found)
    }
  }
  // What an index names beside its platforms is not what was asked for.
  if (platforms.length > 0 && offered.size > 0 && !chosen) {
    throw new RegistryError('MANIFEST_UNKNOWN', `This image is not there for ${platforms.join(' or ')}. It has ${[...offered].join(', ')}.`)
  }
  return { manifests: seen.size, blobs }
}

function wanted({ platform }: Descriptor, platforms: readonly string[]): boolean {
  return platforms.length === 0 || platform === undefined || platforms.some((each) => isPlatform(platform, each))
}

async function drain(repository: Repository, digest: Digest, size: number, { signal, tell }: Pick<WarmOptions, 'signal' | 'tell'>): Promise<void> {
  signal.throwIfAborted()
  const body = await repository.blobs.open(digest)
  if (body === undefined) throw new RegistryError('BLOB_UNKNOWN', `${repository.name} has no ${digest}.`)
  let [done, told] = [0, 0]
  for await (const chunk of body.stream ?? []) {
    signal.throwIfAborted()
    done += chunk.byteLength
    giveBack(chunk)
    if (done - told < PROGRESS_BYTES) continue
    told = done
    tell({ event: 'progress', digest, done, size })
  }
  tell({ event: 'blob', digest, size })
}
