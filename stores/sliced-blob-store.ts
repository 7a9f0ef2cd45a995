import type { BlobStore, Draft, DraftWriter } from '../registry/blob-store.ts'
import type { ObjectStore } from '../registry/object-store.ts'
import type { BlobBody } from '../registry/registry.ts'
import { algorithmOf, type Digest, hexOf, isDigest } from '../registry/spec/digests.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import type { Page, Slice } from '../registry/spec/pages.ts'
import type { ByteRange } from '../registry/spec/ranges.ts'
import { checkDraftId, draftErrors } from './drafts.ts'
import { Locks } from './locks.ts'
import { collect, partOf } from './sized.ts'
import { stitch } from './slice-stream.ts'
import { SliceWriter } from './slice-writer.ts'
import {
  type BlobIndex,
  type DraftMarker,
  encodeRecord,
  hexOffset,
  parseIndex,
  parseMarker,
  parseSliceKey,
  runsOf,
  type SliceReference,
  sliceKey,
  slicePrefix,
  slicesOf,
} from './slices.ts'

const BLOBS = 'blobs/'
const DRAFTS = 'drafts/'
/** Keys asked for, and deleted, at once: S3 takes no more. */
const BATCH = 1000
/** How often a commit tries again when the blob that was in its place is gone the moment it looks. */
const COMMIT_ATTEMPTS = 4

export interface SlicedBlobStoreOptions {
  /** Names what must never be named twice: a draft's slices, a writer. */
  readonly newId?: () => string
}

/**
 * Blobs in an object store, as slices with one small index each: nothing is copied at a commit, and a blob may be larger than any object.
 *
 *     drafts/<id>                        the marker: these slices are nobody's yet
 *     slices/<unique>/<offset>-<writer>  the bytes
 *     blobs/<algorithm>/<hex>            the index: it makes the blob visible
 *
 * Whatever a crash leaves, each slice is under a `unique` that an index or a marker names, so `drafts()` and `Draft.discard` find all that is abandoned:
 * - the marker is written before the first slice, and deleted after the last;
 * - a commit writes into the marker which digest it makes, then the index, then deletes the marker: a marker left over from it
 *   is told from an abandoned draft by the index, and discarding it leaves the blob alone;
 * - a delete makes such a marker first, then removes the index, the slices and the marker.
 *
 * Drafts of one id, and blobs of one digest, take turns within this object. Across processes the caller sees to that (a lease, a Durable Object);
 * where he does not, a reader may find a blob with a slice missing and gets an error, but never wrong bytes.
 */
export function slicedBlobStore(objects: ObjectStore, options: SlicedBlobStoreOptions = {}): BlobStore {
  return new SlicedBlobStore(objects, options.newId ?? (() => crypto.randomUUID()))
}

interface DraftState {
  readonly marker: DraftMarker
  readonly slices: SliceReference[]
  readonly size: number
}

class SlicedBlobStore implements BlobStore {
  readonly mayVanish = true
  readonly #objects: ObjectStore
  readonly #newId: () => string
  readonly #locks = new Locks()
  readonly #writers = new Map<string, SliceWriter | 'opening'>()
  /** Who wrote last into the drafts that were written here, as this process knows. */
  readonly #wrote = new Map<string, string>()

  constructor(objects: ObjectStore, newId: () => string) {
    this.#objects = objects
    this.#newId = newId
  }

  async stat(digest: Digest): Promise<{ readonly size: number } | undefined> {
    const index = await this.#index(digest)
    return index && { size: index.size }
  }

  async open(digest: Digest, range?: ByteRange): Promise<BlobBody | undefined> {
    const index = await this.#index(digest)
    if (!index) return undefined
    const stream = stitch(this.#objects, slicesOf(index), partOf(index.size, range))
    return { size: index.size, stream, ...(range === undefined ? {} : { range }) }
  }

  delete(digest: Digest): Promise<boolean> {
    return this.#locks.run(digest, async () => {
      const index = await this.#index(digest)
      if (!index) return false
      const marker = `${DRAFTS}gone-${index.unique}`
      await this.#objects.put(marker, encodeRecord({ ...index, writer: '', committing: digest }))
      await this.#objects.delete([blobKey(digest)])
      await this.#deleteSlices(index.unique)
      await this.#objects.delete([marker])
      return true
    })
  }

  async edition(digest: Digest): Promise<string | undefined> {
    return (await this.#index(digest))?.unique
  }

  async list(page: Page): Promise<Slice<Digest>> {
    const last = page.last === undefined ? undefined : BLOBS + page.last.replace(':', '/')
    const { items, more } = await this.#objects.list(BLOBS, { limit: page.limit, ...(last === undefined ? {} : { last }) })
    return { items: items.map(({ key }) => key.slice(BLOBS.length).replace('/', ':')).filter(isDigest), more }
  }

  async drafts(page: Page): Promise<Slice<string>> {
    const last = page.last === undefined ? undefined : DRAFTS + page.last
    const { items, more } = await this.#objects.list(DRAFTS, { limit: page.limit, ...(last === undefined ? {} : { last }) })
    return { items: items.map(({ key }) => key.slice(DRAFTS.length)), more }
  }

  draft(id: string): Draft {
    checkDraftId(id)
    return {
      size: async () => {
        const writer = this.#writers.get(id)
        return writer instanceof SliceWriter ? writer.readable : (await this.#load(id))?.size
      },
      edition: async () => (await this.#marker(id))?.unique,
      writer: ({ offset, expected }) => this.#writer(id, offset, expected),
      read: async (range) => {
        const writer = this.#writers.get(id)
        const state = writer instanceof SliceWriter ? { slices: writer.slices, size: writer.readable } : await this.#load(id)
        if (!state) throw draftErrors.unknown()
        return stitch(this.#objects, [...state.slices], partOf(state.size, range))
      },
      commit: (digest) => this.#locks.run(id, () => this.#commit(id, digest)),
      discard: async () => {
        const writer = this.#writers.get(id)
        if (writer instanceof SliceWriter) await writer.abort()
        return this.#locks.run(id, () => this.#discard(id))
      },
    }
  }

  async #writer(id: string, offset: number, expected: number | undefined): Promise<DraftWriter> {
    if (this.#writers.has(id)) throw draftErrors.busy()
    this.#writers.set(id, 'opening')
    try {
      const { marker, slices } = await this.#locks.run(id, () => this.#openMarker(id, offset))
      this.#wrote.set(id, marker.writer)
      const writer = new SliceWriter({
        objects: this.#objects,
        slices,
        offset,
        expected,
        keyOf: (at) => sliceKey(marker.unique, at, marker.writer),
        ended: () => this.#writers.delete(id),
      })
      this.#writers.set(id, writer)
      return writer
    } catch (error) {
      this.#writers.delete(id)
      throw error
    }
  }

  /** Settles what the draft consists of so far, and says who writes on. */
  async #openMarker(id: string, offset: number): Promise<{ marker: DraftMarker; slices: SliceReference[] }> {
    const state = await this.#load(id)
    if ((state?.size ?? 0) !== offset) throw draftErrors.outOfOrder(offset, state?.size ?? 0)
    if (state?.marker.committing !== undefined) throw draftErrors.ended()
    const writer = this.#newId()
    if (!state) {
      const marker: DraftMarker = { unique: this.#newId(), size: 0, runs: [], writer }
      if (!(await this.#objects.putIfAbsent(DRAFTS + id, encodeRecord(marker)))) throw draftErrors.busy()
      return { marker, slices: [] }
    }
    const marker: DraftMarker = { unique: state.marker.unique, size: offset, runs: runsOf(state.slices), writer }
    await this.#objects.put(DRAFTS + id, encodeRecord(marker))
    return { marker, slices: state.slices }
  }

  async #commit(id: string, digest: Digest): Promise<void> {
    if (this.#writers.has(id)) throw draftErrors.busy()
    const state = await this.#load(id)
    if (!state) throw draftErrors.unknown()
    const { unique, writer, committing } = state.marker
    // Another process has gone on with it: what is there is no longer what was verified here.
    if ((this.#wrote.get(id) ?? writer) !== writer) throw draftErrors.busy()
    if (committing !== undefined && committing !== digest) throw draftErrors.ended()
    const index: BlobIndex = { unique, size: state.size, runs: runsOf(state.slices) }
    if (committing === undefined) await this.#objects.put(DRAFTS + id, encodeRecord({ ...index, writer, committing: digest }))
    if (!(await this.#locks.run(digest, () => this.#place(digest, index)))) await this.#deleteSlices(unique)
    await this.#objects.delete([DRAFTS + id])
    this.#wrote.delete(id)
  }

  /** Makes the blob visible; false when it is there already, with other slices. */
  async #place(digest: Digest, index: BlobIndex): Promise<boolean> {
    for (let attempt = 0; attempt < COMMIT_ATTEMPTS; attempt++) {
      if (await this.#objects.putIfAbsent(blobKey(digest), encodeRecord(index))) return true
      const there = await this.#index(digest)
      // Our own, from a try that succeeded without our hearing of it, must not be mistaken for somebody else's: its slices would be dropped.
      if (there) return there.unique === index.unique
    }
    throw new RegistryError('UNAVAILABLE', 'The blob is being deleted again and again while it is committed; try again.')
  }

  async #discard(id: string): Promise<boolean> {
    this.#wrote.delete(id)
    const marker = await this.#marker(id)
    if (!marker) return false
    const { committing, unique } = marker
    const drop = async () => {
      const blob = committing !== undefined && isDigest(committing) ? await this.#index(committing) : undefined
      if (blob?.unique !== unique) await this.#deleteSlices(unique)
      await this.#objects.delete([DRAFTS + id])
    }
    await (committing === undefined ? drop() : this.#locks.run(committing, drop))
    return true
  }

  async #load(id: string): Promise<DraftState | undefined> {
    const marker = await this.#marker(id)
    if (!marker) return undefined
    const slices = slicesOf(marker)
    let size = marker.size
    if (marker.committing !== undefined) return { marker, slices, size }
    const prefix = slicePrefix(marker.unique)
    for await (const { key, size: length } of this.#keys(prefix, prefix + hexOffset(size))) {
      const slice = parseSliceKey(key)
      if (slice?.offset !== size || slice.writer !== marker.writer) continue
      slices.push({ key, offset: size, length })
      size += length
    }
    return { marker, slices, size }
  }

  async #deleteSlices(unique: string): Promise<void> {
    let keys: string[] = []
    for await (const { key } of this.#keys(slicePrefix(unique))) {
      keys.push(key)
      if (keys.length === BATCH) {
        await this.#objects.delete(keys)
        keys = []
      }
    }
    if (keys.length > 0) await this.#objects.delete(keys)
  }

  async *#keys(prefix: string, after?: string): AsyncGenerator<{ readonly key: string; readonly size: number }> {
    let last = after
    for (;;) {
      const { items, more } = await this.#objects.list(prefix, { limit: BATCH, ...(last === undefined ? {} : { last }) })
      yield* items
      last = items.at(-1)?.key
      if (!more || last === undefined) return
    }
  }

  async #index(digest: Digest): Promise<BlobIndex | undefined> {
    const body = await this.#objects.get(blobKey(digest))
    return body && parseIndex(await collect(body))
  }

  async #marker(id: string): Promise<DraftMarker | undefined> {
    const body = await this.#objects.get(DRAFTS + id)
    return body && parseMarker(await collect(body))
  }
}

function blobKey(digest: Digest): string {
  return `${BLOBS}${algorithmOf(digest)}/${hexOf(digest)}`
}
