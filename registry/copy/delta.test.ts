import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createChunker } from '../../runtime/chunker.ts'
import { createHasher } from '../../stores/hasher.ts'
import { MemoryRepository } from '../../test/support/memory-repository.ts'
import { type Deltas, deltasOver } from '../delta/deltas.ts'
import { DELTA_MIN_BLOB } from '../delta/limits.ts'
import { ListTurns } from '../delta/support.ts'
import { RegistryError } from '../spec/errors.ts'
import { OCI_CONFIG, OCI_MANIFEST } from '../spec/media-types.ts'
import { parseTag } from '../spec/names.ts'
import { copy } from './copy.ts'

const TAR = 'application/vnd.oci.image.layer.v1.tar'
const SIZE = DELTA_MIN_BLOB + 100_000
const CHANGED = 50_000
const tag = parseTag('v2')
const support = { createChunker, turns: new ListTurns() }

/** Two builds of a layer, of which the destination has the first, and how the two ends move deltas unless told otherwise. */
function rebuilt(mediaType = TAR) {
  const [source, destination] = [new MemoryRepository('team/app'), new MemoryRepository('mirror/app', { strict: true })]
  const before = new Uint8Array(randomBytes(SIZE))
  const after = Uint8Array.from(before)
  after.set(randomBytes(CHANGED), SIZE / 2)
  const old = destination.addBlob(before)
  const layer = { mediaType, digest: source.addBlob(after), size: SIZE }
  const config = { mediaType: OCI_CONFIG, digest: source.addBlob(new Uint8Array([1])), size: 1 }
  source.addManifest({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [layer] }, 'v2')
  const moving = (ends: { source?: Partial<Deltas>; destination?: Partial<Deltas> } = {}) =>
    copy(
      source.open(),
      destination.open(),
      { tag },
      {
        createHasher,
        parallel: 1,
        delta: {
          source: { ...deltasOver(source.open(), support), ...ends.source },
          destination: { ...deltasOver(destination.open(), support), ...ends.destination },
          bases: async () => [{ digest: old, size: SIZE }],
        },
      },
    )
  const arrived = () => Buffer.compare(destination.blobs.get(layer.digest) ?? new Uint8Array(), after) === 0
  return { destination, before, old, moving, arrived }
}

describe('a copy between sites of ours', () => {
  it('takes what the destination has from there', async () => {
    const { moving, arrived } = rebuilt()
    const { reused } = await moving()
    expect(arrived()).toBe(true)
    expect(reused).toBeGreaterThan(SIZE * 0.9)
    expect(reused).toBeLessThanOrEqual(SIZE - CHANGED)
  })

  const refused = new RegistryError('DENIED', 'no')
  it.each<[string, (made: ReturnType<typeof rebuilt>) => Promise<{ readonly reused: number }>]>([
    ['the source does not know how', ({ moving }) => moving({ source: { chunks: async () => undefined } })],
    ['the destination does not know how', ({ moving }) => moving({ destination: { chunks: async () => undefined } })],
    ['the source refuses a list', ({ moving }) => moving({ source: { chunks: () => Promise.reject(refused) } })],
    ['the destination refuses the delta', ({ moving }) => moving({ destination: { append: () => Promise.reject(refused) } })],
    ['the source refuses its bytes', ({ moving }) => moving({ source: { read: () => Promise.reject(refused) } })],
    [
      'the base is gone',
      ({ moving, destination, old }) => {
        const read = async () => {
          destination.blobs.delete(old)
          return undefined
        }
        return moving({ source: { read } })
      },
    ],
  ])('sends a blob whole where %s', async (_, work) => {
    const made = rebuilt()
    const { reused } = await work(made)
    expect(made.arrived()).toBe(true)
    expect(reused).toBe(0)
  })

  it('sends a blob whole when what was made of a wrong list is not the blob', async () => {
    const made = rebuilt()
    const { destination, before, old } = made
    const lists = deltasOver(destination.open(), support)
    // It says that the new blob is the old one.
    await made.moving({ source: { chunks: (_, target) => lists.chunks({ digest: old, size: before.length }, target) } })
    expect(made.arrived()).toBe(true)
    expect(destination.uploads.size).toBe(0)
  })

  it('does not compare gzip', async () => {
    const { moving, arrived } = rebuilt(`${TAR}+gzip`)
    const never = () => Promise.reject(new Error('compared'))
    expect(await moving({ source: { chunks: never }, destination: { chunks: never } })).toMatchObject({ reused: 0 })
    expect(arrived()).toBe(true)
  })
})
