// Runs the contract's cases inside workerd, against the real R2 binding. Bundled by r2-object-store.test.ts; each request names a case.

import { type R2Binding, r2ObjectStore } from '../r2-object-store.ts'
import { slicedBlobStore } from '../sliced-blob-store.ts'
import { blobStoreCases } from './blob-store-cases.ts'
import { objectStoreCases } from './object-store-cases.ts'

interface Env {
  readonly BUCKET: R2Binding
}

export default {
  async fetch(request: Request, { BUCKET }: Env): Promise<Response> {
    const { searchParams } = new URL(request.url)
    const name = searchParams.get('case') ?? ''
    const objects = r2ObjectStore(BUCKET)
    try {
      await empty(BUCKET)
      if (searchParams.get('of') === 'objects') await objectStoreCases[name]?.(objects)
      else await blobStoreCases[name]?.(slicedBlobStore(objects))
      return new Response('held')
    } catch (error) {
      const reason =
        error instanceof Error ? `${error.stack}\ncaused by ${error.cause instanceof Error ? error.cause.stack : error.cause}` : String(error)
      return new Response(reason, { status: 500 })
    }
  },
}

async function empty(bucket: R2Binding): Promise<void> {
  for (;;) {
    const { objects } = await bucket.list({ prefix: '', limit: 1000 })
    if (objects.length === 0) return
    await bucket.delete(objects.map(({ key }) => key))
  }
}
