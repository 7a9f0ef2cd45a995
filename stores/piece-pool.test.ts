import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { giveBack } from '../registry/lent.ts'
import { fileStream } from './file-stream.ts'
import { type Piece, PiecePool } from './piece-pool.ts'

const KIB = 1024
const MIB = 1024 * KIB

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atoll-pieces-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Every four bytes say where they are, and of which file. */
function content(size: number, seed: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(size / 4)).map((_, index) => Math.imul(index + 1, 2_654_435_761) ^ seed)
  return new Uint8Array(words.buffer, 0, size)
}

/** A file that counts what is read of it. */
async function file(name: string, size: number, seed = 1) {
  const path = join(folder, name)
  const bytes = content(size, seed)
  await writeFile(path, bytes)
  let read = 0
  return {
    bytes,
    get read() {
      return read
    },
    stream: async (pool: PiecePool, range = { offset: 0, length: size }, key: unknown = path) => {
      const handle = await open(path)
      const original = handle.read.bind(handle)
      const counted = async (...args: Parameters<typeof original>) => {
        const answer = await original(...args)
        read += answer.bytesRead
        return answer
      }
      return fileStream(Object.assign(handle, { read: counted }), range, { pool, key })
    },
  }
}

async function readAll(stream: ReadableStream<Uint8Array>, done: (chunk: Uint8Array) => void = giveBack): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const chunk of stream) {
    parts.push(Buffer.from(chunk))
    done(chunk)
  }
  return Buffer.concat(parts)
}

describe('what many read at once', () => {
  it('is read once for all who are near each other', async () => {
    const pool = new PiecePool()
    const one = await file('once', 5 * MIB + 17)
    const streams = await Promise.all(Array.from({ length: 50 }, () => one.stream(pool)))
    for (const got of await Promise.all(streams.map((stream) => readAll(stream)))) expect(got.equals(one.bytes)).toBe(true)
    expect(one.read).toBe(one.bytes.length)
  })

  it('is read once for whoever begins in the middle as well, as soon as he is where the others are', async () => {
    const pool = new PiecePool()
    const one = await file('middle', 4 * MIB)
    const from = MIB + 12_345
    const [whole, rest] = [await one.stream(pool), await one.stream(pool, { offset: from, length: 4 * MIB - from })]
    const [all, part] = await Promise.all([readAll(whole), readAll(rest)])
    expect(all.equals(one.bytes)).toBe(true)
    expect(part.equals(one.bytes.subarray(from))).toBe(true)
    expect(one.read).toBeLessThanOrEqual(one.bytes.length + 256 * KIB)
  })

  it('is not mixed up with another file, nor kept when nobody reads it any more', async () => {
    const pool = new PiecePool()
    const [one, two] = [await file('mixed-1', MIB, 1), await file('mixed-2', MIB, 2)]
    for (const each of [one, two, one]) expect((await readAll(await each.stream(pool))).equals(each.bytes)).toBe(true)
    expect(one.read).toBe(2 * MIB)
  })

  it('comes to others when the one who had it read has left in the middle', async () => {
    const pool = new PiecePool()
    const one = await file('left', 2 * MIB)
    const first = (await one.stream(pool)).getReader()
    const others = await Promise.all([one.stream(pool), one.stream(pool)])
    const reading = others.map((stream) => readAll(stream))
    void first.read().catch(() => undefined)
    await first.cancel()
    for (const got of await Promise.all(reading)) expect(got.equals(one.bytes)).toBe(true)
  })

  it('is asked for again by the others where reading failed for the one who asked first', async () => {
    const pool = new PiecePool()
    const one = await file('broken', 300 * KIB)
    const gone = await open(join(folder, 'broken'))
    await gone.close()
    const broken = fileStream(gone, { offset: 0, length: 300 * KIB }, { pool, key: 'broken' }).getReader()
    const failing = expect(broken.read()).rejects.toThrow()
    const fine = readAll(await one.stream(pool, undefined, 'broken'))
    await failing
    expect((await fine).equals(one.bytes)).toBe(true)
  })
})

describe('memory', () => {
  it('is used again once it was given back by all who had it, and not before', async () => {
    const pool = new PiecePool()
    const one = await file('again', 2 * MIB)
    const memories = async (done: (chunk: Uint8Array) => void) => {
      const seen = new Set<ArrayBufferLike>()
      await readAll(await one.stream(pool), (chunk) => {
        seen.add(chunk.buffer)
        done(chunk)
      })
      return seen.size
    }
    expect(await memories(giveBack)).toBeLessThanOrEqual(2)
    expect(await memories(() => undefined)).toBe(8)
  })

  it('that is given back twice, or in parts, is given back once, or not at all', async () => {
    const pool = new PiecePool()
    const one = await file('twice', 4 * MIB)
    const [a, b] = [(await one.stream(pool)).getReader(), (await one.stream(pool)).getReader()]
    const [first, same] = [(await a.read()).value, (await b.read()).value]
    expect(first?.buffer).toBe(same?.buffer)
    for (let times = 0; times < 3; times++) giveBack(first as Uint8Array)
    giveBack((same as Uint8Array).subarray(0, 10))
    const other = await file('twice-other', 4 * MIB, 2)
    await readAll(await other.stream(pool))
    await readAll(await one.stream(pool))
    expect(Buffer.from(same as Uint8Array).equals(one.bytes.subarray(0, same?.length))).toBe(true)
    await Promise.all([a.cancel(), b.cancel()])
  })

  it('is in small pieces where very many hold very much, and in large ones for a few, or for many who hold the same', () => {
    const pool = new PiecePool()
    const read = () => Promise.resolve()
    const held: Piece[] = []
    const same = pool.begin('same')
    for (let index = 0; index < 500; index++) {
      pool.begin('same')
      held.push(pool.hold(same, 0, 1_000 * MIB, read))
    }
    expect(new Set(held).size).toBe(1)
    for (let index = 0; index < 500; index++) {
      const file = pool.begin(index)
      for (const position of [0, 256 * KIB]) held.push(pool.hold(file, position, 1_000 * MIB, read))
    }
    const bytes = [...new Set(held)].reduce((sum, piece) => sum + piece.bytes.length, 0)
    expect(held.at(-1)?.bytes.length).toBe(16 * KIB)
    expect(bytes).toBeLessThanOrEqual(40 * MIB)
  })
})

describe('whatever they do', () => {
  const reader = fc.record({
    file: fc.nat(1),
    from: fc.nat(900_000),
    length: fc.integer({ min: 1, max: 900_000 }),
    /** Looks so many chunks back when it gives one back, and gives none back where this is large. */
    keeps: fc.nat(6),
    leavesAfter: fc.option(fc.nat(900_000), { nil: undefined, freq: 2 }),
    pause: fc.nat(3),
  })

  it('a chunk stays what it was until it is given back', async () => {
    const size = 900_000
    const files = [await file('any-1', size, 1), await file('any-2', size, 2)] as const
    await fc.assert(
      fc.asyncProperty(fc.array(reader, { minLength: 1, maxLength: 12 }), async (readers) => {
        const pool = new PiecePool()
        await Promise.all(
          readers.map(async ({ file: which, from, length, keeps, leavesAfter, pause }) => {
            const { bytes, stream } = files[which] ?? files[0]
            const offset = Math.min(from, size - 1)
            const range = { offset, length: Math.min(length, size - offset) }
            const body = (await stream(pool, range)).getReader()
            const kept: { chunk: Uint8Array; at: number }[] = []
            const check = ({ chunk, at }: (typeof kept)[number]) =>
              expect(Buffer.compare(chunk, bytes.subarray(at, at + chunk.length)), `a chunk at ${at}`).toBe(0)
            let at = offset
            for (let next = await body.read(); !next.done; next = await body.read()) {
              kept.push({ chunk: next.value, at })
              at += next.value.length
              for (let turn = 0; turn < pause; turn++) await new Promise((resolve) => setImmediate(resolve))
              while (kept.length > keeps) {
                const oldest = kept.shift()
                if (oldest === undefined) break
                check(oldest)
                giveBack(oldest.chunk)
              }
              if (leavesAfter !== undefined && at - offset > leavesAfter) {
                await body.cancel()
                for (const each of kept) check(each)
                return
              }
            }
            expect(at).toBe(offset + range.length)
            for (const each of kept) check(each)
          }),
        )
      }),
      { numRuns: 150 },
    )
  }, 60_000)
})
