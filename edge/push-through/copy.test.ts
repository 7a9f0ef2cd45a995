import { expect, it } from 'vitest'
import { createHasher } from '../../stores/hasher.ts'
import { memoryObjectStore } from '../../stores/memory-object-store.ts'
import { slicedBlobStore } from '../../stores/sliced-blob-store.ts'
import { TestClock } from '../../test/support/clock.ts'
import { quiet as log } from '../../test/support/fill-source.ts'
import { Copy } from './copy.ts'

it('a copy that is dropped while its draft opens leaves neither a writer nor a draft', async () => {
  const clock = new TestClock()
  const blobs = slicedBlobStore(memoryObjectStore())
  const opening = Promise.withResolvers<void>()
  let aborted = 0
  const slow = {
    draft: (id: string) => {
      const draft = blobs.draft(id)
      return {
        size: () => draft.size(),
        read: draft.read.bind(draft),
        commit: draft.commit.bind(draft),
        discard: () => draft.discard(),
        writer: async (options: { readonly offset: number }) => {
          await opening.promise
          const writer = await draft.writer(options)
          return {
            write: (chunk: Uint8Array) => writer.write(chunk),
            readable: 0,
            close: () => writer.close(),
            abort: () => {
              aborted++
              return writer.abort()
            },
          }
        },
      }
    },
  }
  const copy = new Copy({ blobs: slow, createHasher, clock, log, algorithm: 'sha256', id: 'one' })
  const taken = copy.take(new Uint8Array(10))
  await copy.drop()
  opening.resolve()
  await taken
  expect(aborted).toBe(1)
  expect((await blobs.drafts({ limit: 10 })).items).toEqual([])
})
