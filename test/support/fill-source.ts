import type { FillSource } from '../../registry/fill/fills.ts'
import type { Log } from '../../registry/log.ts'
import type { BlobBody } from '../../registry/registry.ts'
import { type Digest, parseDigest } from '../../registry/spec/digests.ts'
import { parseRepositoryName } from '../../registry/spec/names.ts'
import type { ByteRange } from '../../registry/spec/ranges.ts'
import { createHasher } from '../../stores/hasher.ts'

export const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} }

export function digestOf(bytes: Uint8Array): Digest {
  const hasher = createHasher('sha256')
  hasher.update(bytes)
  return parseDigest(hasher.digest())
}

/** Bytes that differ at each position, and by seed. */
export function someBytes(size: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size)
  let state = seed
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[i] = state >>> 24
  }
  return bytes
}

export async function read(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

/** Further connections for a large blob, in sizes that a test can afford. */
export const SEVERAL_CONNECTIONS = {
  connections: 4,
  largeBytes: 1_000_000,
  judgeBytes: 400_000,
  partBytes: 500_000,
  leastPartBytes: 250_000,
  partsAheadBytes: 4_000_000,
  passOverBytes: 100_000,
}

/** What the source does with one request: how it goes on after each chunk. */
export interface Asked {
  readonly range: ByteRange | undefined
  /** How many bytes of this answer it has handed out. */
  sent: number
  readonly signal: AbortSignal
}

export interface TestSourceOptions {
  readonly bytes: Uint8Array
  readonly id?: string
  readonly chunk?: number
  /** Asked before each chunk: wait, throw to cut, or give another chunk than the right one. */
  readonly before?: (asked: Asked, chunk: Uint8Array) => Promise<Uint8Array> | Uint8Array
  /** Asked before answering at all. */
  readonly answer?: (asked: Asked) => Promise<BlobBody | undefined | 'usual'> | BlobBody | undefined | 'usual'
  readonly ranges?: boolean
}

/** A source in memory that does as a test says, and counts. */
export class TestSource implements FillSource {
  readonly id: string
  readonly name = 'upstream.test'
  readonly repository = parseRepositoryName('library/app')
  readonly asked: Asked[] = []
  stats = 0
  bytesSent = 0
  readonly #options: TestSourceOptions

  constructor(options: TestSourceOptions) {
    this.#options = options
    this.id = options.id ?? 'test'
  }

  async stat(): Promise<{ readonly size: number } | undefined> {
    this.stats++
    return { size: this.#options.bytes.length }
  }

  async open(range: ByteRange | undefined, signal: AbortSignal): Promise<BlobBody | undefined> {
    const { bytes, chunk = 16 * 1024, before, answer, ranges = true } = this.#options
    const asked: Asked = { range, sent: 0, signal }
    this.asked.push(asked)
    const special = (await answer?.(asked)) ?? (answer ? undefined : 'usual')
    if (special !== 'usual') return special
    const honoured = ranges ? range : undefined
    let position = honoured?.offset ?? 0
    const end = honoured ? honoured.offset + honoured.length : bytes.length
    const stream = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          if (position >= end) return controller.close()
          const next = bytes.slice(position, Math.min(position + chunk, end))
          const given = before ? await before(asked, next) : next
          position += next.length
          asked.sent += given.length
          this.bytesSent += given.length
          controller.enqueue(given)
        },
      },
      { highWaterMark: 0 },
    )
    return { size: bytes.length, stream, ...(honoured && { range: honoured }) }
  }
}
