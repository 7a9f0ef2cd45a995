import { z } from 'zod'
import type { BlobStore } from '../../../registry/blob-store.ts'
import { isDigest } from '../../../registry/spec/digests.ts'
import type { Key } from '../../space/ledger.ts'
import { draftKey } from '../../space/space.ts'
import type { ObjectStorage } from '../env.ts'
import type { BucketLedger, Kind } from './bucket-ledger.ts'
import { LOOK_EVERY_MS, LOOK_PAGE } from './limits.ts'

const STATE = 'look'
const schema = z.object({
  kind: z.enum(['blobs', 'drafts']).optional(),
  last: z.string().optional(),
  /** When this look began; between two looks, the last one. */
  begunAt: z.number(),
  doneAt: z.number().optional(),
})

type State = z.infer<typeof schema>

/** What one page of the bucket and the same stretch of the ledger differ in. */
export interface Differences {
  /** In the bucket, not in the ledger. */
  readonly unknown: readonly Key[]
  /** In the ledger, not in the bucket. */
  readonly missing: readonly Key[]
  /** What nobody has told of was used before that, as far as anybody knows. */
  readonly begunAt: number
  /** Where the next page begins. */
  readonly next: State
}

/** Goes through the bucket page by page, and remembers where it is: without a ledger this makes one, else it finds what nobody told of. */
export class Look {
  readonly #storage: ObjectStorage
  readonly #blobs: BlobStore
  readonly #ledger: BucketLedger
  #state: State

  private constructor(storage: ObjectStorage, blobs: BlobStore, ledger: BucketLedger, state: State) {
    this.#storage = storage
    this.#blobs = blobs
    this.#ledger = ledger
    this.#state = state
  }

  static async open(storage: ObjectStorage, blobs: BlobStore, ledger: BucketLedger, now: number): Promise<Look> {
    const known = schema.safeParse(await storage.get(STATE))
    if (known.success) return new Look(storage, blobs, ledger, known.data)
    const state: State = { kind: 'blobs', begunAt: now }
    await storage.put(STATE, state)
    return new Look(storage, blobs, ledger, state)
  }

  /** When the next page is to be looked at. */
  due(now: number): number {
    const { kind, doneAt } = this.#state
    return kind === undefined && doneAt !== undefined ? doneAt + LOOK_EVERY_MS : now
  }

  /** One page. */
  async next(now: number): Promise<Differences> {
    if (this.#state.kind === undefined) this.#state = { kind: 'blobs', begunAt: now }
    const { kind = 'blobs', last, begunAt } = this.#state
    const { keys: there, more } = await this.#list(kind, last)
    let upTo = more ? there.at(-1) : undefined
    const known = await this.#ledger.between(kind, last, upTo, LOOK_PAGE)
    // Where the ledger has more names than the bucket, its page ends first.
    if (known.length === LOOK_PAGE) upTo = known.at(-1)?.key
    const within = there.filter((key) => upTo === undefined || key <= upTo)
    const [inLedger, inBucket] = [new Set(known.map(({ key }) => key)), new Set(within)]
    const afterKind: State = kind === 'blobs' ? { kind: 'drafts', begunAt } : { begunAt }
    return {
      unknown: within.filter((key) => !inLedger.has(key)),
      missing: [...inLedger].filter((key) => !inBucket.has(key)),
      next: upTo === undefined ? afterKind : { kind, last: upTo, begunAt },
      begunAt,
    }
  }

  /** What it found was dealt with. */
  async done(next: State, now: number): Promise<void> {
    this.#state = next.kind === undefined ? { ...next, doneAt: now } : next
    await this.#storage.put(STATE, this.#state)
  }

  async #list(kind: Kind, last: string | undefined): Promise<{ keys: readonly Key[]; more: boolean }> {
    if (kind === 'blobs') {
      const { items, more } = await this.#blobs.list({ limit: LOOK_PAGE, ...(last !== undefined && { last }) })
      return { keys: items, more }
    }
    const { items, more } = await this.#blobs.drafts({ limit: LOOK_PAGE, ...(last !== undefined && { last: last.slice(draftKey('').length) }) })
    return { keys: items.map(draftKey), more }
  }
}

/** How large it is; undefined: it is not there. */
export async function sizeOf(blobs: BlobStore, key: Key): Promise<number | undefined> {
  return isDigest(key) ? (await blobs.stat(key))?.size : await blobs.draft(key.slice(draftKey('').length)).size()
}
