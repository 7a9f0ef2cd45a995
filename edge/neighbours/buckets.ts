import type { BlobStore } from '../../registry/blob-store.ts'
import type { Log } from '../../registry/log.ts'
import type { ObjectStore } from '../../registry/object-store.ts'
import { PULL_THROUGH_LIMITS } from '../../registry/pull-through/limits.ts'
import { Records } from '../../registry/pull-through/records.ts'
import type { Nearby } from './nearby.ts'

/** They are another process's: nothing of them is remembered here. */
const LIMITS = { ...PULL_THROUGH_LIMITS, tagsInMemory: 0, linksInMemory: 0, manifestBytesInMemory: 0 }

export interface Bucket {
  readonly records: ObjectStore
  readonly blobs: BlobStore
}

/**
 * The buckets of a Worker's other regions: what one of them has for this very repository need not come from the source again. A blob that
 * is still on its way there is not looked for.
 */
export function otherBuckets(buckets: readonly Bucket[], sourceId: string, log: Log): Nearby {
  const given = new Set<string>()
  return {
    async open(name, digest, range, signal) {
      // Asked for again as a whole, it was wrong.
      if (given.has(digest)) return undefined
      for (const { records, blobs } of buckets) {
        try {
          if ((await new Records(records, sourceId, LIMITS).link(name, digest)) === undefined) continue
          const body = await blobs.open(digest, range)
          if (body?.stream === undefined) continue
          if (range === undefined) given.add(digest)
          if (given.size > GIVEN) given.clear()
          return body
        } catch (error) {
          signal?.throwIfAborted()
          log.warn({ digest, error }, 'the bucket of another region cannot be read now')
        }
      }
      return undefined
    },
  }
}

/** An object of a Worker fetches one blob; a few more that it looked after do not matter. */
const GIVEN = 100
