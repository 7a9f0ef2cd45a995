import { expect, it } from 'vitest'
import { parseDigest } from '../registry/spec/digests.ts'
import { parseRepositoryName } from '../registry/spec/names.ts'
import { seed, temporaryDatabase } from '../test/support/database.ts'
import { listArtifacts } from './artifacts.ts'
import type { Listing } from './listing.ts'
import { metadataStore } from './metadata-store.ts'

it('pages of every size hold all artifacts once, in each order, from whichever end they are read', async () => {
  await using held = await temporaryDatabase()
  const { projectId } = await seed(held.db)
  const store = metadataStore(held.db)
  for (let n = 1; n <= 7; n++) {
    // Some are as large as others.
    const descriptor = { mediaType: 'application/x', digest: parseDigest(`sha256:${n.toString(16).padStart(64, '0')}`), size: n % 3 }
    const parsed = { mediaType: 'application/x', blobs: [], manifests: [] }
    await store.putManifest(parseRepositoryName('team/app'), { descriptor, bytes: new Uint8Array([n]), parsed, tags: [] }, 'user:1')
  }
  const orders: Listing['sort'][] = [undefined, [{ field: 'size', descending: true }], [{ field: 'push_time', descending: false }]]
  for (const sort of orders) {
    const page = async (number: number, pageSize: number) => {
      const { items, total } = await listArtifacts(held.db, { projectId }, {}, { page: number, pageSize, sort })
      expect(total).toBe(7)
      return items.map(({ id }) => id)
    }
    const whole = await page(1, 100)
    expect(new Set(whole).size).toBe(7)
    for (let size = 1; size <= 8; size++) {
      const pages = await Promise.all(Array.from({ length: 9 }, (_, at) => page(at + 1, size)))
      expect(pages.flat(), `pages of ${size}`).toEqual(whole)
    }
  }
})
