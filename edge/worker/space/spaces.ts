import type { BlobStore } from '../../../registry/blob-store.ts'
import { systemClock } from '../../../registry/clock.ts'
import { r2ObjectStore } from '../../../stores/r2-object-store.ts'
import { slicedBlobStore } from '../../../stores/sliced-blob-store.ts'
import { bucketOf, budgetOf, type Env } from '../env.ts'
import { workerLog } from '../log.ts'
import { askSpace } from './ask-space.ts'
import { ToldSpace } from './told-space.ts'

/** The buckets as one isolate or fill uses them, each within its budget where it has one. */
export class Spaces {
  readonly #env: Env
  readonly #everyMs: number
  readonly #told = new Map<string, ToldSpace>()

  /** `everyMs`: how long what is new waits for more before it is told. */
  constructor(env: Env, everyMs: number) {
    this.#env = env
    this.#everyMs = everyMs
  }

  /** The blobs of this bucket, for one request. */
  blobs(bucket: string): BlobStore {
    const blobs = slicedBlobStore(r2ObjectStore(bucketOf(this.#env, bucket)))
    return budgetOf(this.#env, bucket) === undefined ? blobs : this.#of(bucket).within(blobs)
  }

  /** Tells what was read and stored, behind the answers. Never rejects. */
  async tell(): Promise<void> {
    await Promise.all([...this.#told.values()].map((told) => told.tell()))
  }

  #of(bucket: string): ToldSpace {
    const known = this.#told.get(bucket)
    if (known !== undefined) return known
    const made = new ToldSpace({
      object: askSpace(this.#env, bucket),
      clock: systemClock,
      everyMs: this.#everyMs,
      newId: () => crypto.randomUUID(),
      log: workerLog(),
    })
    this.#told.set(bucket, made)
    return made
  }
}
