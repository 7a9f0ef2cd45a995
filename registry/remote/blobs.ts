import type { CreateHasher } from '../blob-store.ts'
import type { BlobBody, Blobs } from '../registry.ts'
import type { Descriptor } from '../spec/descriptors.ts'
import type { Digest } from '../spec/digests.ts'
import { OCTETS } from '../spec/media-types.ts'
import type { RepositoryName } from '../spec/names.ts'
import type { ByteRange } from '../spec/ranges.ts'
import { type Client, scopesOf } from './client.ts'
import { upstreamInvalid } from './errors.ts'
import { lengthOf } from './manifests.ts'
import { exactly, verified } from './streams.ts'
import { takesNoHead } from './taken.ts'
import type { Reply } from './transport.ts'

export interface RemoteBlobsOptions {
  readonly createHasher: CreateHasher | undefined
  readonly pass: boolean
}

export class RemoteBlobs implements Blobs {
  readonly #client: Client
  readonly #name: string
  readonly #options: RemoteBlobsOptions

  constructor(client: Client, name: RepositoryName, options: RemoteBlobsOptions) {
    this.#client = client
    this.#name = client.nameOf(name)
    this.#options = options
  }

  async stat(digest: Digest): Promise<Descriptor | undefined> {
    const head = await this.#ask('HEAD', digest)
    await head.discard()
    if (head.status === 404) return undefined
    const size = head.status === 200 ? lengthOf(head) : undefined
    if (size !== undefined) return { mediaType: OCTETS, digest, size }
    if (head.direct && head.status !== 200 && !takesNoHead(head.status)) throw await this.#client.errorOf(head, `the blob ${digest} of ${this.#name}`)
    // An address signed for GET answers a HEAD with 403, and some registries give a HEAD no length: the first byte tells the size too.
    const first = await this.open(digest, { offset: 0, length: 1 })
    if (first === undefined) return undefined
    await first.stream?.cancel()
    return { mediaType: OCTETS, digest, size: first.size }
  }

  async open(digest: Digest, range?: ByteRange, said?: number): Promise<BlobBody | undefined> {
    let reply = await this.#ask('GET', digest, range)
    if (reply.status === 403 && !reply.direct) {
      // Where it was sent is signed for a time, which may be over: the registry is asked for another address.
      await reply.discard()
      reply = await this.#ask('GET', digest, range)
    }
    if (reply.status === 404) {
      await reply.discard()
      return undefined
    }
    if (reply.status !== 200 && !(reply.status === 206 && range)) throw await this.#client.errorOf(reply, `the blob ${digest} of ${this.#name}`)
    try {
      return await this.#body(reply, digest, range, said)
    } catch (error) {
      await reply.discard()
      throw error
    }
  }

  async delete(digest: Digest): Promise<boolean> {
    const reply = await this.#client.send({
      method: 'DELETE',
      url: `/v2/${this.#name}/blobs/${digest}`,
      scopes: scopesOf(this.#name, 'pull', 'push', 'delete'),
      repeatable: true,
    })
    if (reply.status !== 404 && (reply.status < 200 || reply.status > 299)) throw await this.#client.errorOf(reply, `deleting the blob ${digest}`)
    await reply.discard()
    return reply.status !== 404
  }

  #ask(method: 'GET' | 'HEAD', digest: Digest, range?: ByteRange): Promise<Reply> {
    return this.#client.send({
      method,
      url: `/v2/${this.#name}/blobs/${digest}`,
      scopes: scopesOf(this.#name, 'pull'),
      headers: { Accept: '*/*', ...(range && { Range: `bytes=${range.offset}-${range.offset + range.length - 1}` }) },
      repeatable: true,
    })
  }

  async #body(reply: Reply, digest: Digest, range: ByteRange | undefined, said: number | undefined): Promise<BlobBody> {
    if (reply.headers.get('content-encoding') !== null) throw upstreamInvalid(reply.url, `sends the blob ${digest} in another encoding than its own.`)
    if (range && reply.status === 206) {
      const [, offset, last, size] = contentRange(reply)
      // Where the blob ends before the range does, so does the answer (RFC 9110, 14.1.2).
      const end = Math.min(range.offset + range.length, Number(size))
      if (Number(offset) !== range.offset || Number(last) !== end - 1) {
        throw upstreamInvalid(reply.url, `sends another range of ${digest} than it was asked for.`)
      }
      const length = end - range.offset
      return { size: Number(size), range: { offset: range.offset, length }, stream: this.#all(reply, length) }
    }
    const size = lengthOf(reply) ?? said ?? (await this.#sizeElsewhere(digest))
    if (size === undefined) throw upstreamInvalid(reply.url, `does not say how long ${digest} is.`)
    if (range) {
      // It does not know ranges, and sends everything.
      if (range.offset + range.length > size) throw upstreamInvalid(reply.url, `has only ${size} bytes of ${digest}.`)
      return { size, range, stream: exactly(reply.body, { skip: range.offset, take: range.length, whole: size }, reply.url) }
    }
    const stream = this.#all(reply, size)
    const { createHasher } = this.#options
    return { size, stream: createHasher ? verified(stream, digest, createHasher, reply.url) : stream }
  }

  /** Of a blob that comes without its length: a HEAD may have it, else the answer to a range. */
  async #sizeElsewhere(digest: Digest): Promise<number | undefined> {
    const head = await this.#ask('HEAD', digest)
    await head.discard()
    const length = head.status === 200 ? lengthOf(head) : undefined
    // Who counts while sending says 0 before it has begun.
    if (length !== undefined && length > 0) return length
    const first = await this.#ask('GET', digest, { offset: 0, length: 1 })
    await first.discard()
    const [, , , size] = first.status === 206 ? contentRange(first) : []
    return size === undefined ? undefined : Number(size)
  }

  #all(reply: Reply, size: number): ReadableStream<Uint8Array> {
    return this.#options.pass ? reply.unguarded() : exactly(reply.body, { skip: 0, take: size, whole: size }, reply.url)
  }
}

/** Of a `Content-Range`: first, last and complete length. */
function contentRange(reply: Reply): readonly (string | undefined)[] {
  return reply.headers.get('content-range')?.match(/^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/) ?? []
}
