// What a store must be, whatever it is made of. The cases themselves are in contract/, without vitest, so that they also run inside workerd.

import { describe, it } from 'vitest'
import type { BlobStore } from '../registry/blob-store.ts'
import type { ObjectStore } from '../registry/object-store.ts'
import { blobStoreCases } from './contract/blob-store-cases.ts'
import { objectStoreCases } from './contract/object-store-cases.ts'

/** `open` gives a store with nothing in it, each time another. */
export function blobStoreContract(name: string, open: () => Promise<BlobStore>): void {
  describe(`${name}, as a store of blobs`, () => {
    for (const [promise, run] of Object.entries(blobStoreCases)) it(promise, async () => run(await open()))
  })
}

/** `open` gives a store with nothing in it, each time another. */
export function objectStoreContract(name: string, open: () => Promise<ObjectStore>): void {
  describe(`${name}, as a store of objects`, () => {
    for (const [promise, run] of Object.entries(objectStoreCases)) it(promise, async () => run(await open()))
  })
}
