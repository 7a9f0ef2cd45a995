import type { Upload, Uploads } from '../registry.ts'
import type { Descriptor } from '../spec/descriptors.ts'
import { algorithmOf, type Digest, type DigestAlgorithm, isDigest } from '../spec/digests.ts'
import { RegistryError } from '../spec/errors.ts'
import { OCTETS } from '../spec/media-types.ts'
import type { RepositoryName } from '../spec/names.ts'
import type { ByteRange } from '../spec/ranges.ts'
import { RemoteBlobs } from './blobs.ts'
import { type Client, scopesOf } from './client.ts'
import { upstreamInvalid } from './errors.ts'
import { counted } from './streams.ts'
import type { Taken } from './taken.ts'
import type { Reply } from './transport.ts'
import { decodeUploadId, encodeUploadId } from './upload-ids.ts'

/** Upload sessions of another registry. Each answer may move a session: go on with the id that came back last. */
export class RemoteUploads implements Uploads {
  readonly #client: Client
  readonly #name: string
  readonly #blobs: RemoteBlobs
  readonly #single: Taken

  /** `single`: whether this registry takes a blob in one request, as far as that is known. */
  constructor(client: Client, name: RepositoryName, single: Taken) {
    this.#client = client
    this.#name = client.nameOf(name)
    this.#single = single
    this.#blobs = new RemoteBlobs(client, name, { createHasher: undefined, pass: false })
  }

  async begin({ algorithm = 'sha256' }: { readonly algorithm?: DigestAlgorithm } = {}): Promise<Upload> {
    const query = algorithm === 'sha256' ? '' : `?digest-algorithm=${algorithm}`
    const reply = await this.#send('POST', `/v2/${this.#name}/blobs/uploads/${query}`, { headers: { 'Content-Length': '0' }, repeatable: true })
    if (reply.status !== 202) throw await this.#client.errorOf(reply, `an upload to ${this.#name}`)
    await reply.discard()
    return this.#upload(reply, 0)
  }

  async stat(id: string): Promise<Upload | undefined> {
    const { location } = this.#decode(id)
    const reply = await this.#send('GET', location, { repeatable: true })
    if (reply.status === 404) {
      await reply.discard()
      return undefined
    }
    if (reply.status !== 204 && reply.status !== 200) throw await this.#client.errorOf(reply, 'where the upload stands')
    await reply.discard()
    return this.#upload(reply, receivedOf(reply) ?? 0, location)
  }

  async append(id: string, stream: ReadableStream<Uint8Array>, range?: ByteRange): Promise<Upload> {
    const { size } = this.#decode(id)
    let sent = 0
    const body = counted(stream, (bytes) => {
      sent += bytes
    })
    const headers = {
      'Content-Type': OCTETS,
      ...(range && { 'Content-Range': `${range.offset}-${range.offset + range.length - 1}`, 'Content-Length': String(range.length) }),
    }
    return await this.patch(id, { headers, body, size: () => size + sent })
  }

  /** Sends a body in whatever form the other side takes it; once it is sent, the upload should have `size()` bytes. */
  async patch(
    id: string,
    sent: { readonly headers: Readonly<Record<string, string>>; readonly body: ReadableStream<Uint8Array>; readonly size: () => number },
  ): Promise<Upload> {
    const { location } = this.#decode(id)
    const reply = await this.#send('PATCH', location, { headers: sent.headers, body: sent.body, repeatable: false })
    if (reply.status === 404) {
      await reply.discard()
      throw unknownUpload()
    }
    if (reply.status !== 202 && reply.status !== 204 && reply.status !== 201)
      throw await this.#client.errorOf(reply, `bytes for an upload to ${this.#name}`)
    await reply.discard()
    const expected = sent.size()
    const received = receivedOf(reply)
    // `0-0` stands for one byte, and with many registries for none as well.
    if (received !== undefined && received !== expected && !(received === 0 && expected === 1)) return this.#upload(reply, received, location)
    return this.#upload(reply, expected, location)
  }

  async finish(id: string, digest: Digest): Promise<Descriptor> {
    const { location, size } = this.#decode(id)
    const url = new URL(location)
    url.searchParams.set('digest', digest)
    const reply = await this.#send('PUT', url, { headers: { 'Content-Length': '0', 'Content-Type': OCTETS }, repeatable: false })
    if (reply.status === 404) {
      await reply.discard()
      throw unknownUpload()
    }
    if (reply.status !== 201 && reply.status !== 204 && reply.status !== 200) throw await this.#client.errorOf(reply, `the blob ${digest}`)
    await reply.discard()
    this.#confirm(reply, digest)
    return { mediaType: OCTETS, digest, size }
  }

  async atOnce(digest: Digest, bytes: Uint8Array): Promise<Upload | undefined> {
    const algorithm = algorithmOf(digest)
    if (!this.#single.taken) return await this.begin({ algorithm })
    const query = new URLSearchParams({ digest })
    const reply = await this.#send('POST', `/v2/${this.#name}/blobs/uploads/?${query}`, {
      headers: { 'Content-Type': OCTETS },
      body: bytes,
      repeatable: true,
    })
    if (reply.status === 201) {
      await reply.discard()
      this.#confirm(reply, digest)
      return undefined
    }
    if (reply.status === 202) {
      await reply.discard()
      this.#single.refused()
      return this.#upload(reply, 0)
    }
    if (!takesNoSinglePost(reply.status)) throw await this.#client.errorOf(reply, `the blob ${digest}`)
    await reply.discard()
    // What it has against this one alone it will say of the upload, too.
    const upload = await this.begin({ algorithm })
    this.#single.refused()
    return upload
  }

  async cancel(id: string): Promise<boolean> {
    const { location } = this.#decode(id)
    const reply = await this.#send('DELETE', location, { repeatable: true })
    if (reply.status !== 404 && (reply.status < 200 || reply.status > 299)) throw await this.#client.errorOf(reply, 'ending an upload')
    await reply.discard()
    return reply.status !== 404
  }

  async mount(digest: Digest, from: RepositoryName): Promise<Descriptor | undefined> {
    const source = this.#client.nameOf(from)
    const query = new URLSearchParams({ mount: digest, from: source })
    const reply = await this.#client.send({
      method: 'POST',
      url: `/v2/${this.#name}/blobs/uploads/?${query}`,
      scopes: [...scopesOf(this.#name, 'pull', 'push'), ...scopesOf(source, 'pull')].sort(),
      headers: { 'Content-Length': '0' },
      repeatable: true,
    })
    if (reply.status === 201) {
      await reply.discard()
      this.#confirm(reply, digest)
      return this.#blobs.stat(digest)
    }
    if (reply.status === 202) {
      await reply.discard()
      // It opened an upload instead, which nobody will use.
      await this.cancel(this.#upload(reply, 0).id)
      return undefined
    }
    // May not read the source, or does not know mounts: then the bytes must travel.
    if (reply.status >= 400 && reply.status < 500 && reply.status !== 429) {
      await reply.discard()
      return undefined
    }
    throw await this.#client.errorOf(reply, `a mount of ${digest}`)
  }

  /** Unknown: a registry does not tell where else it has a blob. */
  async mountable(): Promise<readonly RepositoryName[]> {
    return []
  }

  #send(
    method: string,
    url: string | URL,
    options: { headers?: Readonly<Record<string, string>>; body?: ReadableStream<Uint8Array> | Uint8Array; repeatable: boolean },
  ): Promise<Reply> {
    return this.#client.send({ method, url, scopes: scopesOf(this.#name, 'pull', 'push'), ...options })
  }

  #decode(id: string): { location: URL; size: number } {
    const decoded = decodeUploadId(id, this.#client.base, this.#name)
    if (decoded === undefined) throw unknownUpload()
    return decoded
  }

  #upload(reply: Reply, size: number, fallback?: URL): Upload {
    const text = reply.headers.get('location')
    const location = text === null ? fallback : (URL.parse(text, reply.url) ?? undefined)
    const id = location && encodeUploadId(location, size, this.#client.base, this.#name)
    if (id === undefined) throw upstreamInvalid(reply.url, 'opens an upload at an address that is not its own.')
    return { id, size }
  }

  #confirm(reply: Reply, digest: Digest): void {
    const confirmed = reply.headers.get('docker-content-digest')
    if (confirmed !== null && isDigest(confirmed) && confirmed !== digest && confirmed.slice(0, 6) === digest.slice(0, 6)) {
      throw upstreamInvalid(reply.url, `took a blob as ${confirmed} that is ${digest}.`)
    }
  }
}

/** A refusal that may be about the form alone: not one of who we are, of too many requests, or of a registry in trouble. */
function takesNoSinglePost(status: number): boolean {
  return status >= 400 && status < 500 && status !== 401 && status !== 403 && status !== 408 && status !== 429
}

/** How many bytes the registry has: `Range: 0-1023` means 1024, and `0-0` is what an empty upload answers. */
function receivedOf(reply: Reply): number | undefined {
  const match = reply.headers.get('range')?.match(/^\s*(?:bytes=)?0-(\d{1,15})\s*$/)
  if (!match) return undefined
  const last = Number(match[1])
  return last === 0 ? 0 : last + 1
}

function unknownUpload(): RegistryError {
  return new RegistryError('BLOB_UPLOAD_UNKNOWN', 'There is no such upload; begin it again.')
}
