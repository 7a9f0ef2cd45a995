import type { CreateHasher } from '../blob-store.ts'
import type { Clock } from '../clock.ts'
import type { Manifest } from '../registry.ts'
import type { Platform } from '../spec/descriptors.ts'
import type { Digest } from '../spec/digests.ts'
import type { RepositoryName, Tag } from '../spec/names.ts'
import type { RuleId } from '../versions/version.ts'
import type { DeltaEnds } from './delta.ts'
import type { Pace } from './pace.ts'
import type { CopyStep } from './steps.ts'
import type { Together } from './together.ts'

export interface CopyOptions {
  /** Verifies what a source sends before it is finished at the destination. */
  readonly createHasher: CreateHasher
  /** The tags to set at the destination, last of all. Default: the tag that was asked for. */
  readonly tags?: readonly Tag[]
  /** Puts the manifest itself, last of all, in place of a put of ours under its tags. */
  readonly putLast?: (manifest: Manifest) => Promise<void>
  /** The rule that copies: a tag that it has brought under another name before is not carried on by it. Of tags with versions alone. */
  readonly rule?: RuleId
  /** Whether a tag that is another artifact at the destination is moved; else it stays as it is. Default true. */
  readonly override?: boolean
  /** Whether what refers to the artifact or to a part of it (signatures, SBOMs) comes along. Default false. */
  readonly referrers?: boolean
  /**
   * Whether all of these referrers of the artifact (or of a part of it), and all parts of it that are wanted, are known to be there, so that nobody
   * need ask. Default: they are not.
   */
  readonly isAllThere?: (digest: Digest, referrers: readonly Digest[]) => Promise<boolean>
  /**
   * Which parts of an index are copied, with those that are for no platform. The index stays as it is, and what it names besides is missing at the
   * destination: a sparse index. Default: all of them.
   */
  readonly platforms?: (platform: Platform) => boolean
  /**
   * The artifact that a tag is at the destination, if all of it is known to have come from here: what it refers to need not be asked for. Default:
   * nothing is known.
   */
  readonly whatIsWhole?: (tag: Tag, digest: Digest) => Promise<Manifest | undefined>
  /** What to do about children that the source itself does not have. Default `fail`. */
  readonly missingChildren?: 'fail' | 'skip'
  /** How many requests there are at once, and besides how many larger blobs travel. Default: REQUESTS_AT_ONCE, STREAMS_AT_ONCE. Not with `together`. */
  readonly parallel?: number
  /** What other copies at once between the same two repositories share with this one. */
  readonly together?: Together
  /** Bytes in one request of an upload. Default: a blob goes in one. */
  readonly chunkBytes?: number
  /** At most so many bytes a second, over all that travels at once. */
  readonly bytesPerSecond?: number
  /** A speed that is shared with other copies. */
  readonly pace?: Pace | undefined
  /** Default: the system's. */
  readonly clock?: Clock
  /**
   * Repositories of the destination that may have the blob, so that it need not travel. Taken only where the source says that it has the blob
   * as well. Of a source that could lie, name only such as may be read by whoever will read the copy. Default: none.
   */
  readonly mountFrom?: (digest: Digest) => Promise<readonly RepositoryName[]>
  /** With it, large blobs send only what blobs of the destination do not have. Default: they are sent whole. Not with `chunkBytes`. */
  readonly delta?: DeltaEnds
  /** Remembers uploads that are under way at this destination, so that a copy which was broken off goes on where it was. */
  readonly resume?: ResumeStore
  readonly onProgress?: (event: CopyProgress) => void
  /** Hears of the bytes of blobs that travel, as they do; of those that travel twice, twice. */
  readonly onMoved?: (bytes: number) => void
  /** Hears of each step once it is done, before the next begins. */
  readonly onStep?: ((step: CopyStep) => void) | undefined
  /** Gets blobs from where a source says they are. Needed for sources that hand out addresses. */
  readonly fetch?: (input: URL, init: RequestInit) => Promise<Response>
  readonly signal?: AbortSignal | undefined
}

export interface ResumeKey {
  readonly repository: RepositoryName
  readonly digest: Digest
}

/** Upload ids of one destination, kept beyond a crash. */
export interface ResumeStore {
  get(key: ResumeKey): Promise<string | undefined>
  put(key: ResumeKey, uploadId: string): Promise<void>
  delete(key: ResumeKey): Promise<void>
}

export type CopyProgress =
  /** `done` and `size` in bytes, of this blob. */
  | {
      readonly kind: 'blob'
      readonly step: 'begin' | 'moving' | 'done' | 'mounted' | 'present'
      readonly digest: Digest
      readonly done: number
      readonly size: number
    }
  | { readonly kind: 'manifest'; readonly step: 'done' | 'present' | 'missing'; readonly digest: Digest; readonly mediaType: string }
  | { readonly kind: 'tag'; readonly step: 'done' | 'present'; readonly tag: Tag; readonly digest: Digest }

/** A tag at the destination that stays another artifact than the one that was to be copied. */
export interface KeptTag {
  readonly tag: Tag
  /** What it is there. */
  readonly digest: Digest
}

export interface CopyReport {
  /** What the reference is at the source, and now at both ends, but for the tags that were kept. */
  readonly digest: Digest
  /** Manifests and blobs that are new at the destination; those mounted are counted among them. */
  readonly copied: number
  readonly mounted: number
  /** Those that were there. What belongs to them was not looked at. */
  readonly skipped: number
  /** Of blobs, that travelled. */
  readonly bytes: number
  /** Of blobs, that the destination took from others which it had. */
  readonly reused: number
  /** Children that the source does not have. */
  readonly missing: readonly Digest[]
  /** With `override` off: tags that are something else at the destination. */
  readonly kept: readonly KeptTag[]
  /** With `referrers`: what refers to the artifact or to a part of it, all of which is at both ends now. */
  readonly referrers: readonly Digest[]
}
