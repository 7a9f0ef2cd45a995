import { createHash, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../registry/clock.ts'
import { copy } from '../../registry/copy/copy.ts'
import type { Repository } from '../../registry/registry.ts'
import { RemoteRegistry } from '../../registry/remote/index.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { OCI_CONFIG, OCI_MANIFEST } from '../../registry/spec/media-types.ts'
import { parseRepositoryName, parseTag } from '../../registry/spec/names.ts'
import { createHasher } from '../../stores/hasher.ts'
import { bareRegistry } from '../support/bare-registry.ts'
import { DISTRIBUTION, startDistribution } from '../support/distribution.ts'
import { MemoryRepository } from '../support/memory-repository.ts'

const tag = parseTag('v1')
const SIZE = 3_000_000

function source() {
  const repository = new MemoryRepository('team/app')
  const layer = new Uint8Array(randomBytes(SIZE))
  const config = new Uint8Array(Buffer.from('{}'))
  const manifest = repository.addManifest(
    {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: OCI_CONFIG, digest: repository.addBlob(config), size: config.byteLength },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: repository.addBlob(layer), size: SIZE }],
    },
    'v1',
  )
  return { repository, manifest, layer }
}

/** The repository, whose first reading of a large blob breaks off after `bytes`. */
function cutOnce(repository: Repository, bytes: number): { repository: Repository; read: () => number } {
  let cut = false
  let read = 0
  const open: Repository['blobs']['open'] = async (digest, range) => {
    const body = await repository.blobs.open(digest, range)
    if (!body?.stream || body.size < bytes) return body
    const stream = body.stream.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          if (!cut && read >= bytes) {
            cut = true
            return controller.error(new RegistryError('UNAVAILABLE', 'the link is cut'))
          }
          read += chunk.byteLength
          controller.enqueue(chunk)
        },
      }),
    )
    return { ...body, stream }
  }
  return { repository: { ...repository, blobs: { ...repository.blobs, open } }, read: () => read }
}

async function arrives(url: URL, name = 'team/app'): Promise<{ read: number; bytes: number }> {
  const { repository, manifest, layer } = source()
  const destination = new RemoteRegistry({ url, fetch, clock: systemClock, createHasher }).with().repository(parseRepositoryName(name))
  const broken = cutOnce(repository.open(), SIZE / 2)
  const report = await copy(broken.repository, destination, { tag }, { createHasher, parallel: 1, referrers: true })
  expect((await destination.manifests.stat({ tag }))?.descriptor.digest).toBe(manifest.digest)
  const [, blob] = [...repository.blobs.keys()]
  const body = blob && (await destination.blobs.open(blob))
  const hash = createHash('sha256').update(new Uint8Array(await new Response(body?.stream).arrayBuffer()))
  expect(hash.digest('hex')).toBe(createHash('sha256').update(layer).digest('hex'))
  expect(await copy(repository.open(), destination, { tag }, { createHasher })).toMatchObject({ copied: 0, bytes: 0 })
  return { read: broken.read(), bytes: report.bytes }
}

describe('a copy whose link is cut in the middle of a blob', () => {
  it('goes on at Atoll with the bytes that are missing', async () => {
    await using there = await bareRegistry({ projects: ['team'] })
    // So many at once that the destination often hears of a cut after the question how far it has come.
    const copies = await Promise.all(Array.from({ length: 12 }, (_, index) => arrives(new URL(there.server.url), `team/app-${index}`)))
    // What was between the source and the destination's disk when the link was cut.
    for (const { read } of copies) expect(read).toBeLessThan(SIZE * 1.2)
  })

  it.skipIf(DISTRIBUTION === undefined)('comes to its end at distribution, too', async () => {
    await using there = await startDistribution()
    await arrives(there.url)
  })
})
