import { afterAll, beforeAll, describe } from 'vitest'
import { type S3Server, s3Program, startS3 } from '../test/support/versitygw.ts'
import { blobStoreContract, objectStoreContract } from './contract.ts'
import { s3ObjectStore } from './s3-object-store.ts'
import { slicedBlobStore } from './sliced-blob-store.ts'

const program = s3Program()

describe.skipIf(program === undefined)('against a real S3 server', () => {
  let server: S3Server
  let count = 0
  beforeAll(async () => {
    server = await startS3(program ?? '')
  })
  afterAll(() => server.close())
  const open = async () => s3ObjectStore({ ...server, prefix: `test-${count++}/` })

  objectStoreContract('S3', open)
  blobStoreContract('slices in S3', async () => slicedBlobStore(await open()))
})
