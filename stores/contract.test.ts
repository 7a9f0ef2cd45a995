import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { blobStoreContract, objectStoreContract } from './contract.ts'
import { fsBlobStore } from './fs-blob-store.ts'
import { fsObjectStore } from './fs-object-store.ts'
import { memoryObjectStore } from './memory-object-store.ts'
import { slicedBlobStore } from './sliced-blob-store.ts'

let directory: string
let count = 0
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-stores-'))
})
afterAll(() => rm(directory, { recursive: true }))
const fresh = () => join(directory, String(count++))

objectStoreContract('memory', async () => memoryObjectStore())
objectStoreContract('a folder', async () => fsObjectStore(fresh()))
blobStoreContract('a folder', async () => fsBlobStore(fresh()))
blobStoreContract('slices in memory', async () => slicedBlobStore(memoryObjectStore()))
blobStoreContract('slices in a folder', async () => slicedBlobStore(fsObjectStore(fresh())))
