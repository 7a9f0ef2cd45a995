import { createHash, randomUUID } from 'node:crypto'
import type { Manifest, ManifestInput, Repository } from '../../registry/registry.ts'
import type { Descriptor } from '../../registry/spec/descriptors.ts'
import { type Digest, parseDigest } from '../../registry/spec/digests.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { parseManifest, referrerDescriptor } from '../../registry/spec/manifests.ts'
import { isNonDistributable, OCTETS } from '../../registry/spec/media-types.ts'
import { parseRepositoryName, type RepositoryName } from '../../registry/spec/names.ts'

export interface MemoryRepositoryOptions {
  /** Called before each call, with its name; what it throws is the call's failure. */
  readonly before?: (call: string) => void
  /** Called for each chunk that arrives, with its length, after it is kept. */
  readonly arrived?: (bytes: number) => void
  /** What it keeps of an upload in place of all that it was sent, and says that it has. */
  readonly keeps?: ((bytes: Uint8Array) => Uint8Array) | undefined
  /** Refuses manifests whose children or blobs are not there. */
  readonly strict?: boolean
  /** What it makes of a blob in one request: takes it, or opens an upload instead. Default: it is not asked for that. */
  readonly atOnce?: 'takes' | 'opens' | undefined
  /** Other repositories of the same registry, to mount from. */
  readonly neighbours?: readonly MemoryRepository[]
}

/** A repository in memory that a test can look into, and make fail at any step. What an upload has received stays, as on a disk. */
export class MemoryRepository {
  readonly blobs = new Map<Digest, Uint8Array>()
  readonly manifests = new Map<Digest, Manifest>()
  readonly tags = new Map<string, Digest>()
  readonly uploads = new Map<string, Uint8Array[]>()
  readonly calls: string[] = []
  readonly name: RepositoryName
  options: MemoryRepositoryOptions

  constructor(name: string, options: MemoryRepositoryOptions = {}) {
    this.name = parseRepositoryName(name)
    this.options = options
  }

  addBlob(bytes: Uint8Array): Digest {
    const digest = digestOf(bytes)
    this.blobs.set(digest, bytes)
    return digest
  }

  addManifest(document: { readonly mediaType: string; readonly [field: string]: unknown }, tag?: string): Descriptor {
    const bytes = new Uint8Array(Buffer.from(JSON.stringify(document)))
    const descriptor = { mediaType: document.mediaType, digest: digestOf(bytes), size: bytes.byteLength }
    this.manifests.set(descriptor.digest, { descriptor, bytes })
    if (tag !== undefined) this.tags.set(tag, descriptor.digest)
    return descriptor
  }

  /** What a manifest refers to and this repository does not have; empty: it is whole. */
  missing(digest: Digest): Digest[] {
    const manifest = this.manifests.get(digest)
    if (!manifest) return [digest]
    const parsed = parseManifest(manifest.bytes, manifest.descriptor.mediaType)
    const blobs = parsed.blobs.filter(({ mediaType }) => !isNonDistributable(mediaType)).map((blob) => blob.digest)
    return [...blobs.filter((blob) => !this.blobs.has(blob)), ...parsed.manifests.flatMap((child) => this.missing(child.digest))]
  }

  open(): Repository {
    const call = <T>(name: string, work: () => T): Promise<T> => {
      this.calls.push(name)
      return Promise.resolve().then(() => {
        this.options.before?.(name)
        return work()
      })
    }
    const sizeOf = (id: string) => this.uploads.get(id)?.reduce((sum, chunk) => sum + chunk.byteLength, 0)
    const find = (reference: { digest?: Digest; tag?: string }) =>
      this.manifests.get(reference.digest ?? this.tags.get(reference.tag ?? '') ?? ('' as Digest))
    return {
      name: this.name,
      manifests: {
        stat: (reference) => call('manifests.stat', () => find(reference)),
        get: (reference) => call('manifests.get', () => find(reference)),
        put: (input) => call('manifests.put', () => this.#put(input)),
        delete: (digest) => call('manifests.delete', () => this.manifests.delete(digest)),
      },
      tags: {
        list: () => call('tags.list', () => ({ items: [], more: false })),
        delete: (tag) => call('tags.delete', () => this.tags.delete(tag)),
      },
      blobs: {
        stat: (digest) =>
          call('blobs.stat', () => {
            const bytes = this.blobs.get(digest)
            return bytes && { mediaType: OCTETS, digest, size: bytes.byteLength }
          }),
        open: (digest, range) =>
          call('blobs.open', () => {
            const bytes = this.blobs.get(digest)
            if (!bytes) return undefined
            const part = range ? bytes.subarray(range.offset, range.offset + range.length) : bytes
            return { size: bytes.byteLength, ...(range && { range }), stream: inChunks(part) }
          }),
        delete: (digest) => call('blobs.delete', () => this.blobs.delete(digest)),
      },
      uploads: {
        begin: () =>
          call('uploads.begin', () => {
            const id = randomUUID()
            this.uploads.set(id, [])
            return { id, size: 0 }
          }),
        stat: (id) =>
          call('uploads.stat', () => {
            const size = sizeOf(id)
            return size === undefined ? undefined : { id, size }
          }),
        append: async (id, stream, range) => {
          await call('uploads.append', () => undefined)
          const size = sizeOf(id)
          if (size === undefined) throw new RegistryError('BLOB_UPLOAD_UNKNOWN', 'no such upload')
          if (range && range.offset !== size) throw new RegistryError('RANGE_INVALID', 'out of order')
          for await (const chunk of stream) {
            this.uploads.get(id)?.push(chunk)
            this.options.arrived?.(chunk.byteLength)
          }
          return { id, size: sizeOf(id) ?? 0 }
        },
        ...(this.options.atOnce && {
          atOnce: (digest: Digest, bytes: Uint8Array) =>
            call('uploads.atOnce', () => {
              if (this.options.atOnce === 'opens') {
                const id = randomUUID()
                this.uploads.set(id, [])
                return { id, size: 0 }
              }
              if (digestOf(this.options.keeps?.(bytes) ?? bytes) !== digest) throw new RegistryError('DIGEST_INVALID', 'other bytes')
              this.blobs.set(digest, bytes)
              this.options.arrived?.(bytes.byteLength)
              return undefined
            }),
        }),
        finish: (id, digest) =>
          call('uploads.finish', () => {
            const chunks = this.uploads.get(id)
            if (!chunks) throw new RegistryError('BLOB_UPLOAD_UNKNOWN', 'no such upload')
            this.uploads.delete(id)
            const sent = new Uint8Array(Buffer.concat(chunks))
            const bytes = this.options.keeps?.(sent) ?? sent
            if (digestOf(bytes) !== digest) throw new RegistryError('DIGEST_INVALID', 'other bytes')
            this.blobs.set(digest, bytes)
            return { mediaType: OCTETS, digest, size: bytes.byteLength }
          }),
        cancel: (id) => call('uploads.cancel', () => this.uploads.delete(id)),
        mount: (digest, from) =>
          call('uploads.mount', () => {
            const bytes = this.options.neighbours?.find(({ name }) => name === from)?.blobs.get(digest)
            if (bytes === undefined) return undefined
            this.blobs.set(digest, bytes)
            return { mediaType: OCTETS, digest, size: bytes.byteLength }
          }),
        mountable: () => call('uploads.mountable', () => []),
      },
      referrers: {
        list: (subject) =>
          call('referrers.list', () => {
            const all = [...this.manifests.values()].map(({ bytes, descriptor }) => ({
              parsed: parseManifest(bytes, descriptor.mediaType),
              descriptor,
            }))
            const items = all
              .filter(({ parsed }) => parsed.subject?.digest === subject)
              .map(({ parsed, descriptor }) => referrerDescriptor(parsed, descriptor))
            return { items, more: false }
          }),
      },
    }
  }

  #put({ bytes, mediaType, tags }: ManifestInput) {
    const digest = digestOf(bytes)
    const descriptor = { mediaType, digest, size: bytes.byteLength }
    this.manifests.set(digest, { descriptor, bytes })
    if (this.options.strict) {
      const missing = this.missing(digest)
      if (missing.length > 0) {
        this.manifests.delete(digest)
        throw new RegistryError('MANIFEST_BLOB_UNKNOWN', `${digest} is put before ${missing.join(', ')}`)
      }
    }
    for (const tag of tags) this.tags.set(tag, digest)
    const { subject } = parseManifest(bytes, mediaType)
    return { descriptor, ...(subject && { subject: subject.digest }) }
  }
}

const CHUNK = 1_000

function inChunks(bytes: Uint8Array): ReadableStream<Uint8Array> {
  let at = 0
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (at >= bytes.byteLength) return controller.close()
        controller.enqueue(bytes.slice(at, at + CHUNK))
        at += CHUNK
      },
    },
    { highWaterMark: 0 },
  )
}

function digestOf(bytes: Uint8Array): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
}
