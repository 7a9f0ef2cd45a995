import type { BlobStore, CreateHasher } from '../blob-store.ts'
import type { Clock } from '../clock.ts'
import type { MetadataStore } from '../metadata-store.ts'
import type { RunningHashes } from './running-hashes.ts'
import type { PushStep } from './steps.ts'

export interface LocalRegistryOptions {
  readonly blobs: BlobStore
  readonly metadata: MetadataStore
  readonly createHasher: CreateHasher
  readonly clock: Clock
  /** Makes an upload's id: unguessable, [a-z0-9-]{1,128}. */
  readonly newId: () => string
  /** Reads manifests in place of the metadata: a ManifestCache in front of it. */
  readonly manifests?: Pick<MetadataStore, 'getManifest' | 'statManifest'>
  /** Hears of each step of a push once it is done, before the next begins. */
  readonly onStep?: (step: PushStep) => void
}

/** What the parts of one LocalRegistry work with. */
export interface LocalParts extends LocalRegistryOptions {
  readonly hashes: RunningHashes
  readonly locks: UploadLocks
}

/** Uploads that a request is changing at this moment, each with what resolves once it has done so. */
export type UploadLocks = Map<string, Promise<void>>
