import { afterEach, describe, expect, it } from 'vitest'
import { createHasher } from '../../stores/hasher.ts'
import { memoryObjectStore } from '../../stores/memory-object-store.ts'
import { slicedBlobStore } from '../../stores/sliced-blob-store.ts'
import { TestClock } from '../../test/support/clock.ts'
import {
  type Asked,
  digestOf,
  quiet,
  read,
  SEVERAL_CONNECTIONS,
  someBytes,
  TestSource,
  type TestSourceOptions,
} from '../../test/support/fill-source.ts'
import { RegistryError } from '../spec/errors.ts'
import type { ByteRange } from '../spec/ranges.ts'
import { FILL_LIMITS } from './limits.ts'
import { FillTable } from './table.ts'

const SIZE = 6_000_000
/** Further connections are begun at once, and a client that reads on keeps no far range from being asked for apart. */
const LIMITS = { ...SEVERAL_CONNECTIONS, slowBytesPerSecond: 1_000_000_000, aheadBytes: 500_000, progressBytes: 200_000 }
const FAR: ByteRange = { offset: 4_500_000, length: 100_000 }

const fails = (code: 'RANGE_INVALID' | 'UPSTREAM_INVALID' | 'UNAVAILABLE' | 'DENIED') => ({
  answer: ({ range }: Asked) => {
    if (range !== undefined) throw new RegistryError(code, 'no part of it')
    return 'usual' as const
  },
})

const REFUSALS: Readonly<Record<string, Omit<TestSourceOptions, 'bytes'>>> = {
  'with another range than was asked for': fails('UPSTREAM_INVALID'),
  'with 500': fails('UNAVAILABLE'),
  'with 403': fails('DENIED'),
  'with too few bytes': {
    before: ({ range, sent }, chunk) => {
      if (range !== undefined && sent >= 64 * 1024) throw new TypeError('terminated')
      return chunk
    },
  },
  'with everything': { ranges: false },
}

describe('a source that gives a large blob whole, and answers a part of it', () => {
  const ticking: NodeJS.Timeout[] = []
  afterEach(() => {
    for (const timer of ticking.splice(0)) clearInterval(timer)
  })

  function behind(options: Omit<TestSourceOptions, 'bytes'>) {
    const clock = new TestClock()
    ticking.push(setInterval(() => clock.advance(20), 1))
    const blobs = slicedBlobStore(memoryObjectStore())
    const table = new FillTable({ blobs, createHasher, clock, log: quiet, limits: LIMITS })
    const blob = (seed: number) => {
      const bytes = someBytes(SIZE, seed)
      const source = new TestSource({
        bytes,
        ...options,
        before: async (asked, chunk) => {
          await new Promise((resolve) => setImmediate(resolve))
          return (await options.before?.(asked, chunk)) ?? chunk
        },
      })
      const open = async (range?: ByteRange) => {
        const body = await table.open({ digest: digestOf(bytes), source, confirmed: true, range })
        return digestOf(await read(body?.stream ?? new ReadableStream()))
      }
      return { bytes, digest: digestOf(bytes), source, open }
    }
    return { clock, blobs, table, blob }
  }

  it.each(Object.keys(REFUSALS))('%s, is taken whole by everybody who wants it', async (how) => {
    const { table, blobs, blob } = behind(REFUSALS[how] ?? {})
    const { bytes, digest, open } = blob(1)
    const far = digestOf(bytes.subarray(FAR.offset, FAR.offset + FAR.length))
    expect(await Promise.all([open(), open(FAR), open()])).toEqual([digest, far, digest])
    await table.idle()
    expect(await blobs.stat(digest)).toEqual({ size: SIZE })
    // A range that comes first begins no fill that cannot be ended either.
    const other = blob(2)
    expect(await Promise.all([other.open(FAR), other.open()])).toEqual([
      digestOf(other.bytes.subarray(FAR.offset, FAR.offset + FAR.length)),
      other.digest,
    ])
    await table.close()
  })

  it.each(['with another range than was asked for', 'with 500', 'with 403'])(
    '%s, is asked for no part of its other blobs for a while',
    async (how) => {
      const { clock, table, blob } = behind(REFUSALS[how] ?? {})
      // What may be a bad moment of the source has to come twice.
      for (const seed of how === 'with 500' ? [1, 2] : [1]) {
        // By a far range it is asked for a part, however fast the whole comes.
        const { digest, open } = blob(seed)
        expect((await Promise.all([open(FAR), open()]))[1]).toBe(digest)
        await table.idle()
      }
      const other = blob(3)
      expect(await other.open()).toBe(other.digest)
      expect(other.source.asked.map(({ range }) => range)).toEqual([undefined])
      clock.advance(FILL_LIMITS.wholeOnlyMs)
      const later = blob(4)
      await Promise.all([later.open(FAR), later.open()])
      expect(later.source.asked.some(({ range }) => range !== undefined)).toBe(true)
      await table.close()
    },
  )

  it('with wrong bytes, has its blob stored all the same, from the whole', async () => {
    const { table, blobs, blob } = behind({
      before: ({ range }, chunk) => (range === undefined ? chunk : new Uint8Array(chunk.length)),
    })
    const { digest, open } = blob(1)
    // Who was given some of it is cut off: it cannot be taken back.
    await open().catch(() => undefined)
    expect(await open()).toBe(digest)
    await table.idle()
    expect(await blobs.stat(digest)).toEqual({ size: SIZE })
    const second = blob(2)
    expect(await second.open()).toBe(second.digest)
    expect(second.source.asked.map(({ range }) => range)).toEqual([undefined])
    await table.close()
  })

  it('that says the rest lies outside the blob, cuts nobody off: the whole shows that it does not', async () => {
    let cuts = 1
    const { table, blob } = behind({
      ...fails('RANGE_INVALID'),
      before: ({ sent }, chunk) => {
        if (sent > 1_000_000 && cuts-- > 0) throw new TypeError('terminated')
        return chunk
      },
    })
    const { digest, open, source } = blob(1)
    expect(await Promise.all([open(), open()])).toEqual([digest, digest])
    expect(source.asked.filter(({ range }) => range === undefined)).toHaveLength(2)
    await table.close()
  })

  it('with 500, is taken whole where an earlier fill left a part of it', async () => {
    let cut = true
    const { table, blobs, blob } = behind({
      ...fails('UNAVAILABLE'),
      before: ({ sent }, chunk) => {
        if (cut && sent > 300_000) throw new TypeError('terminated')
        return chunk
      },
    })
    const { digest, open } = blob(1)
    await open().catch(() => undefined)
    await table.idle()
    cut = false
    expect(await open()).toBe(digest)
    await table.idle()
    expect(await blobs.stat(digest)).toEqual({ size: SIZE })
  })
})
