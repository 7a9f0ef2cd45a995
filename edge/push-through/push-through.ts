import { LRUCache } from 'lru-cache'
import type { BlobStore, CreateHasher } from '../../registry/blob-store.ts'
import type { Clock } from '../../registry/clock.ts'
import { manifestBody } from '../../registry/http/bodies.ts'
import type { Resource } from '../../registry/http/route.ts'
import type { Log } from '../../registry/log.ts'
import type { PullThrough } from '../../registry/pull-through.ts'
import type { Fetch } from '../../registry/remote/index.ts'
import { algorithmOf, type Digest, isDigest } from '../../registry/spec/digests.ts'
import { essence } from '../../registry/spec/media-types.ts'
import { isTag, parseReference, parseRepositoryName, type RepositoryName } from '../../registry/spec/names.ts'
import type { Heard } from '../mesh.ts'
import { COPY_PREFIX, Copy } from './copy.ts'
import { forward, isGone } from './forward.ts'
import { COPIES } from './limits.ts'

/** What is kept of what passes. */
export interface PushCache {
  readonly blobs: BlobStore
  /** What is known of the origin's repositories. */
  ofOrigin(): Pick<PullThrough, 'pushed' | 'forgetTag' | 'forgetManifest' | 'forgetBlob'>
}

export interface PushThroughOptions {
  readonly origin: URL
  readonly fetch: Fetch
  readonly mesh: Heard
  readonly cache: PushCache
  readonly createHasher: CreateHasher
  readonly clock: Clock
  readonly log: Log
  /** New ids of [a-z0-9-]. */
  readonly newId: () => string
}

type Upload = { readonly name: RepositoryName; readonly id: string }

const DRAFTS_PAGE = 1_000

/** Hands writing requests on to the origin, and keeps what it acknowledges. See docs/decisions/0012-push-through.md. */
export class PushThrough {
  readonly #options: PushThroughOptions
  /** What has passed of uploads that have not ended, by repository and id. */
  readonly #copies = new LRUCache<string, Copy>({ max: COPIES, dispose: (copy, _key, reason) => reason === 'evict' && void copy.drop() })

  constructor(options: PushThroughOptions) {
    this.#options = options
  }

  /** Removes what an earlier process had not finished. Call it before the first push. */
  async sweep(): Promise<void> {
    const { blobs } = this.#options.cache
    for (let last: string | undefined; ; ) {
      const { items, more } = await blobs.drafts({ limit: DRAFTS_PAGE, ...(last !== undefined && { last }) })
      for (const id of items) if (id.startsWith(COPY_PREFIX)) await blobs.draft(id).discard()
      last = items.at(-1)
      if (!more || last === undefined) return
    }
  }

  /**
   * The origin's answer to a request that writes, whose sender may do so. The request carries a token that the origin signed.
   * @throws RegistryError UNAVAILABLE when the origin does not answer, and for bodies that are no manifest
   */
  async answer(request: Request, resource: Resource): Promise<Response> {
    const query = new URL(request.url).searchParams
    switch (resource.kind) {
      case 'start-upload':
        return await this.#start(request, parseRepositoryName(resource.name), query)
      case 'upload':
        return await this.#upload(request, { name: parseRepositoryName(resource.name), id: resource.key }, query)
      case 'manifest':
        return request.method === 'PUT'
          ? await this.#manifest(request, parseRepositoryName(resource.name), resource.key, query)
          : await this.#deleteManifest(request, parseRepositoryName(resource.name), resource.key)
      case 'blob':
        if (request.method === 'HEAD') return await this.#forward(request)
        return await this.#deleteBlob(request, parseRepositoryName(resource.name), resource.key)
      default:
        return await this.#forward(request)
    }
  }

  async #start(request: Request, name: RepositoryName, query: URLSearchParams): Promise<Response> {
    const digest = digestIn(query, 'digest')
    if (digest !== undefined) return await this.#last(request, name, this.#copy(algorithmOf(digest)), digest)
    const mount = digestIn(query, 'mount')
    if (mount !== undefined) return await this.#mount(request, name, mount)
    return this.#started(await this.#forward(request), name, query.get('digest-algorithm'))
  }

  /** The bytes of a blob that is mounted may be here already; if not, they come with the first pull. */
  async #mount(request: Request, name: RepositoryName, digest: Digest): Promise<Response> {
    const { cache } = this.#options
    let answer: Response | undefined
    await cache.ofOrigin().pushed.blob(name, digest, async () => {
      answer = await this.#forward(request)
      return answer.status === 201 ? (await cache.blobs.stat(digest))?.size : undefined
    })
    return this.#started(answer as Response, name, algorithmOf(digest))
  }

  /** A new upload has a copy, empty at first. */
  #started(answer: Response, name: RepositoryName, algorithm: string | null): Response {
    const id = answer.status === 202 ? uploadOf(answer) : undefined
    if (id !== undefined) this.#copies.set(keyOf({ name, id }), this.#copy(algorithm === 'sha512' ? 'sha512' : 'sha256'))
    return answer
  }

  async #upload(request: Request, upload: Upload, query: URLSearchParams): Promise<Response> {
    if (request.method === 'GET' || request.method === 'HEAD') return await this.#forward(request)
    const key = keyOf(upload)
    // One request at a time has the copy: one that comes meanwhile passes without it, and then the copy is not whole.
    const copy = this.#copies.get(key)
    this.#copies.delete(key)
    if (request.method === 'DELETE') {
      await copy?.drop()
      return await this.#forward(request)
    }
    const digest = digestIn(query, 'digest')
    if (request.method === 'PUT' && digest !== undefined) return await this.#last(request, upload.name, copy, digest)
    try {
      const answer = await this.#forward(request, copy)
      await copy?.rest()
      const id = uploadOf(answer)
      // It is whole as long as the origin has as much as passed here.
      if (copy !== undefined && !copy.lost && id !== undefined && answer.status === 202 && receivedBy(answer) === copy.size) {
        this.#copies.set(keyOf({ name: upload.name, id }), copy)
      } else await copy?.drop()
      return answer
    } catch (error) {
      await copy?.drop()
      throw error
    }
  }

  /** The request that ends an upload. */
  async #last(request: Request, name: RepositoryName, copy: Copy | undefined, digest: Digest): Promise<Response> {
    let answer: Response | undefined
    try {
      await this.#options.cache.ofOrigin().pushed.blob(name, digest, async () => {
        answer = await this.#forward(request, copy)
        return answer.status === 201 && (await copy?.commit(digest)) ? copy?.size : undefined
      })
    } finally {
      if (answer?.status !== 201) await copy?.drop()
    }
    return answer as Response
  }

  async #manifest(request: Request, name: RepositoryName, key: string, query: URLSearchParams): Promise<Response> {
    const reference = parseReference(key)
    const bytes = (await manifestBody(request)) as Uint8Array<ArrayBuffer>
    const { cache, createHasher } = this.#options
    const hasher = createHasher(reference.digest === undefined ? 'sha256' : algorithmOf(reference.digest))
    hasher.update(bytes)
    const digest = hasher.digest()
    const tags = [...(reference.tag === undefined ? [] : [reference.tag]), ...query.getAll('tag').filter(isTag)]
    const mediaType = essence(request.headers.get('content-type') ?? '')
    let answer: Response | undefined
    await cache.ofOrigin().pushed.manifest(name, { descriptor: { mediaType, digest, size: bytes.byteLength }, bytes }, tags, async () => {
      answer = await forward({ request, bytes }, this.#options)
      return answer.status === 201 && answer.headers.get('docker-content-digest') === digest && mediaType !== ''
    })
    return answer as Response
  }

  async #deleteManifest(request: Request, name: RepositoryName, key: string): Promise<Response> {
    const reference = parseReference(key)
    const answer = await this.#forward(request)
    const { cache } = this.#options
    if (isGone(answer) && reference.digest !== undefined) await cache.ofOrigin().forgetManifest(name, reference.digest)
    else if (isGone(answer) && reference.tag !== undefined) await cache.ofOrigin().forgetTag(name, reference.tag)
    return answer
  }

  async #deleteBlob(request: Request, name: RepositoryName, digest: string): Promise<Response> {
    const answer = await this.#forward(request)
    if (isGone(answer) && isDigest(digest)) await this.#options.cache.ofOrigin().forgetBlob(name, digest)
    return answer
  }

  async #forward(request: Request, copy?: Copy): Promise<Response> {
    return await forward({ request, ...(copy && { onChunk: (chunk: Uint8Array) => copy.take(chunk) }) }, this.#options)
  }

  #copy(algorithm: 'sha256' | 'sha512'): Copy {
    const { cache, createHasher, clock, log, newId } = this.#options
    return new Copy({ blobs: cache.blobs, createHasher, clock, log, algorithm, id: newId() })
  }
}

function keyOf({ name, id }: Upload): string {
  return `${name} ${id}`
}

function digestIn(query: URLSearchParams, parameter: string): Digest | undefined {
  const text = query.get(parameter)
  return text !== null && isDigest(text) ? text : undefined
}

function uploadOf(answer: Response): string | undefined {
  return /\/blobs\/uploads\/([^/?]+)$/.exec(answer.headers.get('location')?.split('?', 1)[0] ?? '')?.[1]
}

/** How many bytes the origin has. `0-0` stands for none, and for one. */
function receivedBy(answer: Response): number {
  const last = Number(/^0-(\d{1,15})$/.exec(answer.headers.get('range') ?? '')?.[1] ?? Number.NaN)
  return last === 0 ? 0 : last + 1
}
