import { createHash } from 'node:crypto'
import { systemClock } from '../registry/clock.ts'
import type { ObjectEntry, ObjectStore, SizedStream } from '../registry/object-store.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import type { Page, Slice } from '../registry/spec/pages.ts'
import type { ByteRange } from '../registry/spec/ranges.ts'
import { S3Client, type S3ClientOptions } from './s3/client.ts'
import { Deletions } from './s3/deletions.ts'
import { PAGE } from './s3/limits.ts'
import { deleteFailures, deleteRequest, parseList } from './s3/xml.ts'
import { bytesStream, collect, partOf } from './sized.ts'

type Defaults = 'fetch' | 'clock' | 'random'

export type S3ObjectStoreOptions = Omit<S3ClientOptions, Defaults> &
  Partial<Pick<S3ClientOptions, Defaults>> & {
    /** Where in the bucket the objects are, for instance `atoll/`. */
    readonly prefix?: string
  }

/** Objects in any store that speaks S3 with conditional writes: AWS, R2, MinIO, versitygw, Ceph. */
export function s3ObjectStore(options: S3ObjectStoreOptions): ObjectStore {
  const given = { fetch: globalThis.fetch, clock: systemClock, random: Math.random, ...options }
  const client = new S3Client(given)
  return new S3ObjectStore(client, new Deletions({ ...given, send: (keys) => deleteBatch(client, keys) }), options.prefix ?? '')
}

class S3ObjectStore implements ObjectStore {
  readonly #client: S3Client
  readonly #deletions: Deletions
  readonly #prefix: string

  constructor(client: S3Client, deletions: Deletions, prefix: string) {
    this.#client = client
    this.#deletions = deletions
    this.#prefix = prefix
  }

  async put(key: string, body: Uint8Array | SizedStream): Promise<void> {
    const { response } = await this.#client.send({
      method: 'PUT',
      key: this.#prefix + key,
      body: body instanceof Uint8Array ? owned(body) : body,
      accept: [200],
    })
    await response.body?.cancel()
  }

  async putIfAbsent(key: string, body: Uint8Array): Promise<boolean> {
    const { response, repeated } = await this.#client.send({
      method: 'PUT',
      key: this.#prefix + key,
      body: owned(body),
      headers: { 'If-None-Match': '*' },
      accept: [200, 412],
    })
    await response.body?.cancel()
    if (response.status === 200) return true
    // The try before may have stored it: then what is there is ours.
    return repeated && (await this.#holds(key, body))
  }

  async get(key: string, range?: ByteRange): Promise<SizedStream | undefined> {
    if (range?.length === 0) {
      const stat = await this.stat(key)
      return stat && { size: partOf(stat.size, range).length, stream: bytesStream(new Uint8Array(0)) }
    }
    const { response } = await this.#client.send({
      method: 'GET',
      key: this.#prefix + key,
      ...(range === undefined ? {} : { headers: { Range: `bytes=${range.offset}-${range.offset + range.length - 1}` } }),
      accept: range === undefined ? [200, 404] : [206, 404, 416],
    })
    if (response.status === 404) return await nothing(response)
    const size = Number(response.headers.get('content-length') ?? Number.NaN)
    if (response.status === 416 || (range !== undefined && size !== range.length)) {
      await response.body?.cancel()
      throw new RegistryError('RANGE_INVALID', 'The range lies outside the object.')
    }
    if (Number.isNaN(size)) {
      await response.body?.cancel()
      throw new RegistryError('UNAVAILABLE', 'The object store does not say how long an object is.')
    }
    return { size, stream: response.body ?? bytesStream(new Uint8Array(0)) }
  }

  async stat(key: string): Promise<{ readonly size: number } | undefined> {
    const { response } = await this.#client.send({ method: 'HEAD', key: this.#prefix + key, accept: [200, 404] })
    if (response.status === 404) return await nothing(response)
    return { size: Number(response.headers.get('content-length')) }
  }

  async delete(keys: readonly string[]): Promise<void> {
    await this.#deletions.delete(keys.map((key) => this.#prefix + key))
  }

  async list(prefix: string, page: Page): Promise<Slice<ObjectEntry>> {
    const items: ObjectEntry[] = []
    let last = page.last
    for (;;) {
      const { response } = await this.#client.send({
        method: 'GET',
        query: {
          'list-type': '2',
          prefix: this.#prefix + prefix,
          'max-keys': String(Math.min(PAGE, page.limit - items.length)),
          ...(last === undefined ? {} : { 'start-after': this.#prefix + last }),
        },
        accept: [200],
      })
      const { entries, truncated } = parseList(await response.text())
      items.push(...entries.map(({ key, size }) => ({ key: key.slice(this.#prefix.length), size })))
      last = items.at(-1)?.key
      if (!truncated || items.length >= page.limit) return { items, more: truncated }
    }
  }

  async #holds(key: string, body: Uint8Array): Promise<boolean> {
    const there = await this.get(key)
    if (!there) return false
    if (there.size !== body.length) {
      await there.stream.cancel()
      return false
    }
    const bytes = await collect(there)
    return bytes.every((byte, index) => byte === body[index])
  }
}

async function nothing(response: Response): Promise<undefined> {
  await response.body?.cancel()
}

/** Bytes as fetch wants them; copied only when they lie in shared memory. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) : new Uint8Array(bytes)
}

async function deleteBatch(client: S3Client, keys: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const body = new TextEncoder().encode(deleteRequest(keys))
  const { response } = await client.send({
    method: 'POST',
    query: { delete: '' },
    headers: { 'Content-MD5': createHash('md5').update(body).digest('base64'), 'Content-Type': 'application/xml' },
    body,
    accept: [200],
  })
  return deleteFailures(await response.text())
}
