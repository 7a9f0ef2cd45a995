import { ChunkList } from '../delta/chunks.ts'
import type { Compression } from '../delta/compression.ts'
import type { Delta, Deltas } from '../delta/deltas.ts'
import { CHUNKS_TYPE, DELTA_TYPE, encodeDelta, RANGES_TYPE } from '../delta/wire.ts'
import type { Upload } from '../registry.ts'
import type { Digest } from '../spec/digests.ts'
import type { RepositoryName } from '../spec/names.ts'
import type { ByteRange } from '../spec/ranges.ts'
import { type Client, scopesOf } from './client.ts'
import { counted } from './streams.ts'
import type { Taken } from './taken.ts'
import type { Reply } from './transport.ts'
import { RemoteUploads } from './uploads.ts'

/** Deltas with another site of ours. One that is too old for them answers as if it had no such blob. */
export class RemoteDeltas implements Deltas {
  readonly #client: Client
  readonly #name: string
  readonly #uploads: RemoteUploads
  readonly #compression: Compression

  constructor(client: Client, name: RepositoryName, { compression, single }: { readonly compression: Compression; readonly single: Taken }) {
    this.#client = client
    this.#name = client.nameOf(name)
    this.#uploads = new RemoteUploads(client, name, single)
    this.#compression = compression
  }

  async chunks({ digest, size }: { readonly digest: Digest; readonly size: number }, target: number): Promise<ChunkList | undefined> {
    const reply = await this.#client.send({
      method: 'GET',
      url: `${this.#path(digest)}?target=${target}`,
      scopes: scopesOf(this.#name, 'pull'),
      headers: { Accept: CHUNKS_TYPE },
      repeatable: true,
    })
    const body = await this.#body(reply, CHUNKS_TYPE, `the chunks of ${digest}`)
    return body && (await ChunkList.decode(body, size))
  }

  async read(digest: Digest, ranges: readonly ByteRange[], moved: (bytes: number) => void): Promise<ReadableStream<Uint8Array> | undefined> {
    const reply = await this.#client.send({
      method: 'POST',
      url: this.#path(digest),
      scopes: scopesOf(this.#name, 'pull'),
      headers: { Accept: RANGES_TYPE, 'Content-Type': 'application/json' },
      body: new TextEncoder().encode(JSON.stringify({ ranges: ranges.map(({ offset, length }) => [offset, length]) })),
      repeatable: true,
    })
    const body = await this.#body(reply, RANGES_TYPE, `ranges of ${digest}`)
    return body && this.#compression.decompress(counted(body, moved))
  }

  async append(id: string, { range, bases, steps, literals }: Delta, moved: (bytes: number) => void): Promise<Upload> {
    const end = range.offset + range.length
    return await this.#uploads.patch(id, {
      headers: { 'Content-Type': DELTA_TYPE, 'Content-Range': `${range.offset}-${end - 1}` },
      body: counted(this.#compression.compress(encodeDelta({ bases, steps, literals })), moved),
      size: () => end,
    })
  }

  #path(digest: Digest): string {
    return `/v2/${this.#name}/_atoll/chunks/${digest}`
  }

  async #body(reply: Reply, type: string, what: string): Promise<ReadableStream<Uint8Array> | undefined> {
    if (reply.status === 200 && reply.headers.get('content-type') === type) return reply.body
    // Whoever does not know this path may answer it with anything.
    if (reply.status === 200 || reply.status === 404 || reply.status === 405 || reply.status === 501) {
      await reply.discard()
      return undefined
    }
    throw await this.#client.errorOf(reply, what)
  }
}
