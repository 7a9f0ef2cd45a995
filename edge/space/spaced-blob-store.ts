import { type BlobStore, type Draft, type DraftWriter, NoRoom } from '../../registry/blob-store.ts'
import type { BlobBody } from '../../registry/registry.ts'
import type { Digest } from '../../registry/spec/digests.ts'
import type { Ledger } from './ledger.ts'
import { type Reads, watched } from './reads.ts'
import { draftKey, type Reservation, type Space } from './space.ts'

export interface SpacedOptions {
  readonly blobs: BlobStore
  readonly space: Pick<Space, 'left' | 'reserve'>
  readonly ledger: Pick<Ledger, 'has' | 'add' | 'touch' | 'remove'>
  readonly reads: Pick<Reads, 'begin' | 'rename'>
  /** The store itself tells `reads` of its readers, and takes no harm when a draft is deleted that somebody reads. */
  readonly tellsReads: boolean
}

/** The same store within a budget: opening a blob is a use of it, and a writer is refused (UNAVAILABLE) when there is no room for what it would write. */
export function spacedBlobStore(options: SpacedOptions): BlobStore {
  const { blobs, space, ledger, reads, tellsReads } = options
  /** The ledger learns what it did not know: another process stored it, or somebody deleted it. */
  const note = (digest: Digest, body: BlobBody | undefined): BlobBody | undefined => {
    if (body === undefined) ledger.remove(digest)
    else if (!ledger.has(digest)) ledger.add(digest, body.size)
    return body
  }
  return {
    mayVanish: blobs.mayVanish ?? false,
    stat: async (digest) => {
      await space.left(digest)
      return await blobs.stat(digest)
    },
    async open(digest, range) {
      const leaving = space.left(digest)
      if (leaving !== undefined) await leaving
      ledger.touch(digest)
      if (tellsReads) return note(digest, await blobs.open(digest, range))
      const done = reads.begin(digest)
      try {
        const body = note(digest, await blobs.open(digest, range))
        if (body?.stream !== undefined) return { ...body, stream: watched(body.stream, done) }
        done()
        return body
      } catch (error) {
        done()
        throw error
      }
    },
    async delete(digest) {
      ledger.remove(digest)
      return await blobs.delete(digest)
    },
    ...(blobs.edition && { edition: blobs.edition.bind(blobs) }),
    hold: (what) => reads.begin(typeof what === 'string' ? what : draftKey(what.draft)),
    list: (page) => blobs.list(page),
    drafts: (page) => blobs.drafts(page),
    draft: (id) => spacedDraft(id, blobs.draft(id), options),
  }
}

function spacedDraft(id: string, draft: Draft, { blobs, space, ledger, reads, tellsReads }: SpacedOptions): Draft {
  const key = draftKey(id)
  return {
    ...draft,
    async size() {
      await space.left(key)
      // Whoever asks is about to go on with it.
      ledger.touch(key)
      return await draft.size()
    },
    async writer({ offset, expected }) {
      await space.left(key)
      const reservation = await space.reserve(id, expected, offset)
      if (reservation === undefined) throw new NoRoom()
      try {
        const writer = await draft.writer({ offset, ...(expected !== undefined && { expected }) })
        return spacedWriter(writer, reservation, (size) => {
          reservation.end()
          if (size !== undefined) ledger.add(key, size)
        })
      } catch (error) {
        reservation.end()
        const left = await draft.size()
        if (left !== undefined) ledger.add(key, left)
        throw error
      }
    },
    async read(range) {
      const stream = await draft.read(range)
      return tellsReads ? stream : watched(stream, reads.begin(key))
    },
    async commit(digest) {
      await draft.commit(digest)
      const size = ledger.remove(key) ?? (await blobs.stat(digest))?.size
      reads.rename(key, digest)
      if (size !== undefined) ledger.add(digest, size)
    },
    async discard() {
      ledger.remove(key)
      return await draft.discard()
    },
  }
}

/** `onEnd` hears what has become of the draft: its size, as far as anybody knows. */
function spacedWriter(writer: DraftWriter, reservation: Reservation, onEnd: (size: number | undefined) => void): DraftWriter {
  return {
    get readable() {
      return writer.readable
    },
    async write(chunk) {
      const more = reservation.writing(chunk.length)
      if (more !== undefined && !(await more)) throw new NoRoom()
      await writer.write(chunk)
    },
    async close() {
      let size: number | undefined = writer.readable
      try {
        size = await writer.close()
        return size
      } finally {
        onEnd(size)
      }
    },
    async abort() {
      try {
        await writer.abort()
      } finally {
        onEnd(writer.readable)
      }
    },
  }
}
