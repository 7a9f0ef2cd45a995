import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fsBlobStore } from '../../stores/fs-blob-store.ts'
import { createHasher } from '../../stores/hasher.ts'
import { memoryObjectStore } from '../../stores/memory-object-store.ts'
import { slicedBlobStore } from '../../stores/sliced-blob-store.ts'
import { TestClock } from '../../test/support/clock.ts'
import { digestOf, quiet, read, readInto, someBytes, TestSource } from '../../test/support/fill-source.ts'
import type { BlobStore } from '../blob-store.ts'
import { FillTable } from './index.ts'

const KIB = 1024

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atoll-pieces-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('a client that is behind a fill', () => {
  const behind = async (blobs: BlobStore, pieceBytes: () => number) => {
    const bytes = someBytes(4_000_000)
    const source = new TestSource({ bytes })
    const table = new FillTable({ blobs, createHasher, clock: new TestClock(), log: quiet, limits: { windowBytes: 64 * KIB }, pieceBytes })
    const open = async () => (await table.open({ digest: digestOf(bytes), source, confirmed: true }))?.stream ?? new ReadableStream<Uint8Array>()
    const slow = (await open()).getReader()
    const first = (await slow.read()).value ?? new Uint8Array()
    await read(await open())
    const pieces = [first]
    for (let next = await slow.read(); !next.done; next = await slow.read()) pieces.push(next.value)
    await table.idle()
    expect(digestOf(Buffer.concat(pieces))).toBe(digestOf(bytes))
    return pieces.slice(1).map(({ byteLength }) => byteLength)
  }

  it('holds as little of it as it may, and less as soon as there are more', async () => {
    let size = 32 * KIB
    let asked = 0
    const sizes = await behind(fsBlobStore(join(folder, 'blobs')), () => {
      asked++
      if (asked === 40) size = 16 * KIB
      return size
    })
    // What is left in the window at the end comes as it came.
    const stored = sizes.slice(0, Math.floor((3 * sizes.length) / 4))
    expect(Math.max(...stored.slice(0, 30))).toBe(32 * KIB)
    expect(Math.max(...stored.slice(45))).toBe(16 * KIB)
  })

  it('is read into memory that its reader brings, and brings again, wherever the bytes come from', async () => {
    const bytes = someBytes(4_000_000)
    for (const blobs of [fsBlobStore(join(folder, 'into')), slicedBlobStore(memoryObjectStore())]) {
      const source = new TestSource({ bytes })
      const limits = { windowBytes: 64 * KIB }
      const table = new FillTable({ blobs, createHasher, clock: new TestClock(), log: quiet, limits, pieceBytes: () => 16 * KIB })
      const open = async () => (await table.open({ digest: digestOf(bytes), source, confirmed: true }))?.stream ?? new ReadableStream<Uint8Array>()
      const readers = [await open(), await open()].map((stream) => readInto(stream, 24 * KIB))
      // One keeps up; the other takes its first piece, and the rest when all is there.
      const [first, slow] = readers.map((reader) => ({ reader, parts: [] as Uint8Array<ArrayBuffer>[] }))
      const all = async ({ reader, parts } = first as NonNullable<typeof first>) => {
        for (let next = await reader.next(); next !== undefined; next = await reader.next()) parts.push(next)
        expect(digestOf(Buffer.concat(parts))).toBe(digestOf(bytes))
        return parts.map(({ byteLength }) => byteLength)
      }
      slow?.parts.push((await slow.reader.next()) ?? new Uint8Array())
      await all()
      expect(Math.max(...(await all(slow)))).toBe(24 * KIB)
      await table.idle()
    }
  })

  it('gets what a store has to give that brings its own buffers', async () => {
    expect((await behind(slicedBlobStore(memoryObjectStore()), () => 16 * KIB)).length).toBeGreaterThan(0)
  })
})
