import type { Log } from '../log.ts'
import type { Manifest } from '../registry.ts'
import type { Descriptor } from '../spec/descriptors.ts'
import type { Digest } from '../spec/digests.ts'
import { parseManifest } from '../spec/manifests.ts'
import type { RepositoryName } from '../spec/names.ts'
import { keyOf } from './context.ts'
import { Memory } from './memory.ts'
import type { Negatives } from './negatives.ts'

/** Blobs that manifests have named: they are no longer unknown, and so long as the manifest says. Bounded. */
export class Named {
  readonly #negatives: Negatives
  readonly #log: Log
  readonly #sizes: Memory<number>

  constructor(negatives: Negatives, log: Log, limit: number) {
    this.#negatives = negatives
    this.#log = log
    this.#sizes = new Memory(limit)
  }

  note(repository: RepositoryName, manifest: Manifest): void {
    for (const { digest, size } of this.blobsOf(manifest)) {
      const key = keyOf(repository, digest)
      this.#negatives.delete(key)
      this.#sizes.set(key, size)
    }
  }

  /** In the words of a manifest; undefined: none has named it lately. */
  size(repository: RepositoryName, digest: Digest): number | undefined {
    return this.#sizes.get(keyOf(repository, digest))
  }

  blobsOf({ bytes, descriptor }: Manifest): readonly Descriptor[] {
    try {
      return parseManifest(bytes, descriptor.mediaType).blobs
    } catch (error) {
      this.#log.info({ digest: descriptor.digest, error }, 'a manifest that cannot be read: its client will know what to ask for')
      return []
    }
  }
}
