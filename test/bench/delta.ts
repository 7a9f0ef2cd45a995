import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { appendFile, cp, lstat, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { ChunkList, encodeChunks, targetFor } from '../../registry/delta/chunks.ts'
import { planDelta, type Step } from '../../registry/delta/plan.ts'
import { createChunker } from '../../runtime/chunker.ts'
import { zstd } from '../../runtime/zstd.ts'
import { printSeen } from './table.ts'
import { zstdChunked } from './zstd-chunked.ts'

const run = promisify(execFile)

/** Real files, small and large: what this project is installed with, but for a few programs that would be most of the layer. */
const FILES = fileURLToPath(new URL('../../node_modules', import.meta.url))
const LARGEST = 400_000
/** Of the bytes. */
const CHANGED = 0.05
/** Of a list, for each chunk. */
const ENTRY_BYTES = 20

const CHANGES = ['one folder', 'files here and there'] as const
type Change = (typeof CHANGES)[number]

/** What of a rebuilt layer travels between two sites of ours, for each way that layers are stored and two ways to change one. */
export async function delta(): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'atoll-delta-'))
  const rows: [string, string, string][] = []
  try {
    for (const change of CHANGES) {
      const tree = join(work, 'tree')
      await cp(FILES, tree, { recursive: true, verbatimSymlinks: true, filter: async (path) => (await lstat(path)).size < LARGEST })
      const before = await layersOf(work, tree, 'before')
      const share = await rebuild(tree, change)
      const after = await layersOf(work, tree, 'after')
      for (const [format, path] of after) {
        const base = before.get(format)
        if (base) rows.push([`${change}, ${percent(share)} of the bytes: ${format}`, format === 'gzip' ? '' : '< 15 %', await moved(base, path)])
      }
      await rm(tree, { recursive: true })
    }
  } finally {
    await rm(work, { recursive: true, force: true })
  }
  printSeen('A rebuilt layer, from site to site', rows)
}

async function moved(base: string, wanted: string): Promise<string> {
  const { size } = await stat(wanted)
  const [list, old] = [await listOf(wanted, size), await listOf(base, size)]
  const literals = planDelta(list, [old]).filter((step) => step.kind === 'literal')
  let sent = old.ids.length * ENTRY_BYTES
  for await (const piece of zstd.compress(bytesOf(wanted, literals))) sent += piece.byteLength
  return `${percent(sent / size)} of ${Math.round(size / 1e6)} MB`
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}

async function listOf(path: string, wantedSize: number): Promise<ChunkList> {
  const stream = Readable.toWeb(createReadStream(path, { highWaterMark: 128 * 1024 })) as ReadableStream<Uint8Array>
  return await ChunkList.decode(encodeChunks(stream, createChunker(targetFor(wantedSize))), (await stat(path)).size)
}

function bytesOf(path: string, steps: readonly Step[]): ReadableStream<Uint8Array> {
  async function* read() {
    for (const { offset, length } of steps) yield* createReadStream(path, { start: offset, end: offset + length - 1 })
  }
  return Readable.toWeb(Readable.from(read())) as ReadableStream<Uint8Array>
}

/** Changes files until CHANGED of the bytes are others. Resolves with the share. */
async function rebuild(tree: string, change: Change): Promise<number> {
  const files: { path: string; size: number }[] = []
  for (const entry of await readdir(tree, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile()) files.push({ path, size: (await stat(path)).size })
  }
  files.sort((one, other) => (one.path < other.path ? -1 : 1))
  const total = files.reduce((sum, { size }) => sum + size, 0)
  let changed = 0
  for (const [index, { path, size }] of files.entries()) {
    const chosen = change === 'one folder' ? index >= files.length * 0.4 : chance(path.slice(tree.length)) < CHANGED
    if (!chosen || changed > total * CHANGED) continue
    await writeFile(
      path,
      (await readFile(path)).map((byte) => (byte * 7 + 3) & 0x7f),
    )
    await appendFile(path, '\n')
    changed += size
  }
  return changed / total
}

/** In [0, 1), the same for the same text. */
function chance(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0) / 2 ** 32
}

async function layersOf(work: string, tree: string, name: string): Promise<ReadonlyMap<string, string>> {
  const tar = join(work, `${name}.tar`)
  await run('tar', ['cf', tar, '--sort=name', '--mtime=@0', '-C', tree, '.'])
  await run('gzip', ['-kf', tar])
  return new Map([
    ['uncompressed', tar],
    ['gzip', `${tar}.gz`],
    ['zstd:chunked', await zstdChunked(tar, join(work, `${name}-chunked`))],
  ])
}
