import { readdirSync, readlinkSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CRASH_SIZE } from '../test/support/crash-fs.ts'
import { interceptedFileSystem } from '../test/support/file-system.ts'
import { run } from '../test/support/run.ts'
import { digestOf, noise, readAll, sameBytes } from './contract/bytes.ts'
import { fsBlobStore } from './fs-blob-store.ts'

let root: string
let count = 0
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'atoll-fs-'))
})
afterAll(() => rm(root, { recursive: true }))
const fresh = () => join(root, String(count++))

describe('a folder of blobs', () => {
  it('loses nothing it acknowledged, and shows nothing wrong, wherever the process is killed', async () => {
    const bytes = noise(1, CRASH_SIZE)
    const digest = digestOf(bytes)
    const script = fileURLToPath(new URL('../test/support/crash-fs.ts', import.meta.url))
    let survived = false
    let deaths = 0
    for (; !survived; deaths++) {
      const directory = fresh()
      const { stdout, code } = await run(process.execPath, [script, directory, String(deaths)])
      survived = code === 0
      const durable = Number(stdout.match(/durable (\d+)\n(?!durable)/)?.[1] ?? 0)
      const store = fsBlobStore(directory)
      const draft = store.draft('upload')
      if (stdout.includes('committed')) expect(await store.stat(digest)).toEqual({ size: bytes.length })
      if (!(await store.stat(digest))) {
        const size = (await draft.size()) ?? 0
        expect(size).toBeGreaterThanOrEqual(durable)
        if (size > 0) sameBytes(await readAll(await draft.read({ offset: 0, length: size })), bytes.subarray(0, size))
        const writer = await draft.writer({ offset: size })
        await writer.write(bytes.slice(size))
        await writer.close()
        await draft.commit(digest)
      }
      const body = await store.open(digest)
      sameBytes(await readAll(body?.stream ?? new ReadableStream()), bytes)
      expect(await store.list({ limit: 9 })).toEqual({ items: [digest], more: false })
    }
    expect(deaths).toBeGreaterThan(15)
  })

  it('syncs the bytes before it names them, and the name before it acknowledges', async () => {
    const calls: string[] = []
    const directory = fresh()
    const store = fsBlobStore(directory, {
      fs: interceptedFileSystem(({ name, path }, go) => {
        calls.push(`${name} ${path.slice(directory.length + 1)}`)
        return go()
      }),
    })
    const bytes = noise(2, 1000)
    const digest = digestOf(bytes)
    const writer = await store.draft('d').writer({ offset: 0 })
    await writer.write(bytes)
    await writer.close()
    expect(calls.lastIndexOf('datasync drafts/d')).toBeGreaterThan(calls.lastIndexOf('writev drafts/d'))
    expect(calls).toContain('sync drafts')
    await store.draft('d').commit(digest)
    const folder = `blobs/sha256/${digest.slice(7, 9)}`
    const order = ['sync drafts/d', `sync ${join('blobs', 'sha256')}`, 'rename drafts/d', `sync ${folder}`].map((call) => calls.lastIndexOf(call))
    expect(order).toEqual(order.toSorted((a, b) => a - b))
    expect(order[0]).toBeGreaterThan(-1)
  })

  it('syncs the names of directories that it meets for the first time, and bytes that somebody else left', async () => {
    const directory = fresh()
    const bytes = noise(5, 1000)
    const digest = digestOf(bytes)
    const folder = `blobs/sha256/${digest.slice(7, 9)}`
    // As a process leaves it that died before it synced anything.
    await mkdir(join(directory, folder), { recursive: true })
    await mkdir(join(directory, 'drafts'))
    await writeFile(join(directory, 'drafts', 'd'), bytes)
    const calls: string[] = []
    const fs = interceptedFileSystem(({ name, path }, go) => {
      calls.push(`${name} ${path.slice(directory.length + 1)}`)
      return go()
    })
    const writer = await fsBlobStore(directory, { fs }).draft('d').writer({ offset: bytes.length })
    expect(await writer.close()).toBe(bytes.length)
    expect(calls).toContain('datasync drafts/d')
    calls.length = 0
    await fsBlobStore(directory, { fs }).draft('d').commit(digest)
    for (const step of ['sync drafts/d', 'sync ', 'sync blobs', 'sync blobs/sha256', `sync ${folder}`]) expect(calls).toContain(step)
  })

  it('says that the disk is full, keeps what is durable, and goes on when there is room', async () => {
    let room = 700_000
    const fs = interceptedFileSystem(async ({ name, args }, go) => {
      const [buffers] = args
      if (name !== 'writev' || !Array.isArray(buffers)) return go()
      const length = buffers.reduce((sum: number, buffer: Uint8Array) => sum + buffer.length, 0)
      if (length > room) throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
      room -= length
      return go()
    })
    const store = fsBlobStore(fresh(), { fs })
    const bytes = noise(3, 1_000_000)
    const draft = store.draft('d')
    const fill = async (offset: number) => {
      const writer = await draft.writer({ offset })
      try {
        for (let at = offset; at < bytes.length; at += 50_000) await writer.write(bytes.slice(at, at + 50_000))
      } finally {
        await writer.close()
      }
    }
    await expect(fill(0)).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('no space left') })
    const size = (await draft.size()) ?? 0
    sameBytes(await readAll(await draft.read({ offset: 0, length: size })), bytes.subarray(0, size))
    room = 10_000_000
    await fill(size)
    await draft.commit(digestOf(bytes))
    sameBytes(await readAll((await store.open(digestOf(bytes)))?.stream ?? new ReadableStream()), bytes)
  })

  it('finishes a write that the disk took only a part of', async () => {
    const fs = interceptedFileSystem(async ({ name, args }, go) => {
      const [buffers, position] = args
      if (name === 'writev' && Array.isArray(buffers) && buffers[0] instanceof Uint8Array) return go([buffers[0].subarray(0, 777)], position)
      return go()
    })
    const store = fsBlobStore(fresh(), { fs })
    const bytes = noise(4, 20_000)
    const writer = await store.draft('d').writer({ offset: 0 })
    for (let at = 0; at < bytes.length; at += 5000) await writer.write(bytes.slice(at, at + 5000))
    expect(await writer.close()).toBe(bytes.length)
    sameBytes(await readAll(await store.draft('d').read({ offset: 0, length: bytes.length })), bytes)
  })

  it('leaves no file open, however reading and writing end', async () => {
    const directory = fresh()
    const opened = () => readdirSync('/proc/self/fd').filter((fd) => target(fd).startsWith(directory)).length
    const store = fsBlobStore(directory)
    const bytes = noise(5, 3_000_000)
    const writer = await store.draft('d').writer({ offset: 0 })
    await writer.write(bytes)
    expect(opened()).toBe(1)
    await writer.close()
    await store.draft('d').commit(digestOf(bytes))
    await (await store.draft('e').writer({ offset: 0 })).abort()
    await expect(store.draft('e').writer({ offset: 9 })).rejects.toMatchObject({ code: 'RANGE_INVALID' })
    await expect(store.open(digestOf(bytes), { offset: 0, length: bytes.length + 1 })).rejects.toMatchObject({ code: 'RANGE_INVALID' })
    const open = async () => (await store.open(digestOf(bytes)))?.stream ?? new ReadableStream<Uint8Array>()
    await readAll(await open())
    const unread = await open()
    expect(opened()).toBe(1)
    await unread.cancel()
    const reader = (await open()).getReader()
    await reader.read()
    await reader.cancel()
    const pending = (await open()).getReader()
    await Promise.all([pending.read(), pending.cancel()])
    await readAll((await store.open(digestOf(bytes), { offset: 5, length: 0 }))?.stream ?? new ReadableStream())
    expect(opened()).toBe(0)
  })
})

function target(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    // The descriptor of this very listing is gone again.
    return ''
  }
}
