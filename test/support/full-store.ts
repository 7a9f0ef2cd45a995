import type { BlobStore } from '../../registry/blob-store.ts'

/** The same store on a disk that is full after so many bytes of a draft. */
export function full(blobs: BlobStore, after: number): BlobStore {
  return {
    stat: (digest) => blobs.stat(digest),
    open: (digest, range) => blobs.open(digest, range),
    delete: (digest) => blobs.delete(digest),
    list: (page) => blobs.list(page),
    drafts: (page) => blobs.drafts(page),
    draft(id) {
      const draft = blobs.draft(id)
      return {
        size: () => draft.size(),
        read: (range) => draft.read(range),
        commit: (digest) => draft.commit(digest),
        discard: () => draft.discard(),
        async writer(options) {
          const writer = await draft.writer(options)
          let written = options.offset
          return {
            get readable() {
              return writer.readable
            },
            async write(chunk) {
              written += chunk.length
              if (written > after) throw new RangeError('no space left')
              await writer.write(chunk)
            },
            close: () => writer.close(),
            abort: () => writer.abort(),
          }
        },
      }
    },
  }
}
