import type { BlobBody, BlobStream } from '../registry.ts'
import type { Digest } from '../spec/digests.ts'
import type { RepositoryName } from '../spec/names.ts'
import type { ByteRange } from '../spec/ranges.ts'

/**
 * Brings cold blobs into the cache, each once however many want it. In a process it is a FillTable; elsewhere it may be a call
 * to whoever does the fetching.
 */
export interface Fills {
  /**
   * The blob, as it comes. undefined: the source does not have it in this repository.
   * What it resolves with proves that the source has the blob there.
   * @throws RegistryError UPSTREAM_INVALID when the source sends something else under this digest; UNAVAILABLE when it or we cannot;
   * RANGE_INVALID; what the source throws
   */
  open(request: FillRequest): Promise<BlobStream | undefined>
  /** Resolves when no fill of this digest from this source is under way here. Without it, nobody can tell. */
  ended?(source: string, digest: Digest): Promise<void>
  /** The repository may have lost the blob, or all of its blobs: who joins a fill of it from now on asks the source first. */
  doubt?(source: string, repository: RepositoryName, digest?: Digest): void
}

export interface FillRequest {
  readonly digest: Digest
  readonly range?: ByteRange | undefined
  readonly source: FillSource
  /** The blob's, as far as the source has told it. */
  readonly size?: number | undefined
  /** The source has confirmed before that this repository has the blob: joining a fill needs no second question. */
  readonly confirmed: boolean
  /** The caller's: ends its part of it, not the fill. */
  readonly signal?: AbortSignal | undefined
}

/** One blob at one source, by one repository's name. */
export interface FillSource {
  /** Which source it is: fills of one digest are shared by requests with the same id only, so nobody gets what another's upstream made up. */
  readonly id: string
  /** For people: `docker.io`. */
  readonly name: string
  /** What the source calls the repository. */
  readonly repository: RepositoryName
  stat(signal: AbortSignal): Promise<{ readonly size: number } | undefined>
  open(range: ByteRange | undefined, signal: AbortSignal): Promise<BlobBody | undefined>
  /** Told how many bytes have come. */
  fetched?(bytes: number): void
}

export interface FillCounters {
  /** Fills begun. */
  fills: number
  /** Requests that found a fill under way. */
  joined: number
  completed: number
  abandoned: number
  /** Continued from a draft of before. */
  resumed: number
  /** Times a source was asked again in the middle. */
  cuts: number
  /** Times a source sent something else than the digest or size it promised. */
  wrong: number
  failed: number
  /** Fills that could not be stored, and were passed through. */
  unstored: number
  bytesFetched: number
  bytesServed: number
  /** Consumers that fell behind what cannot be stored, and went on by ranges of their own. */
  behind: number
  /** Of those fetched, what came ahead of its fill because somebody wanted it. */
  bytesDirect: number
}
