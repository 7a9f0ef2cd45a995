import type { ObjectStore } from '../object-store.ts'
import type { Manifest } from '../registry.ts'
import type { Descriptor } from '../spec/descriptors.ts'
import { type Digest, isDigest } from '../spec/digests.ts'
import type { RepositoryName, Tag } from '../spec/names.ts'
import type { TagLease } from './freshness.ts'
import type { PullThroughLimits } from './limits.ts'
import { Memory } from './memory.ts'

const PAGE = 1_000
const NEWLINE = 0x0a

/**
 * What a cache knows besides blobs, as small objects, with the most used in memory. Keys are `<kind>/<source>/<repository>/@/<tag or digest>`:
 * no repository's name has an `@`, so `a` and `a/b` never mix. A record that cannot be read counts as absent.
 */
export class Records {
  readonly #objects: ObjectStore
  readonly #source: string
  readonly #tags: Memory<TagLease>
  readonly #manifests: Memory<Manifest>
  readonly #links: Memory<number>

  constructor(objects: ObjectStore, source: string, limits: PullThroughLimits) {
    this.#objects = objects
    this.#source = source
    this.#tags = new Memory(limits.tagsInMemory)
    this.#manifests = new Memory(limits.manifestBytesInMemory, ({ bytes }) => bytes.length + 500)
    this.#links = new Memory(limits.linksInMemory)
  }

  async lease(repository: RepositoryName, tag: Tag): Promise<TagLease | undefined> {
    const key = this.#key('tags', repository, tag)
    const known = this.#tags.get(key)
    if (known) return known
    const bytes = await this.#read(key)
    const lease = bytes && parseJson(bytes, isLease)
    if (lease) this.#tags.set(key, lease)
    return lease
  }

  /** Known at once, durable when it resolves; the same holds for manifests and links. */
  async keepLease(repository: RepositoryName, tag: Tag, lease: TagLease): Promise<void> {
    const key = this.#key('tags', repository, tag)
    this.#tags.set(key, lease)
    await this.#objects.put(key, encodeJson(lease))
  }

  async dropLease(repository: RepositoryName, tag: Tag): Promise<void> {
    const key = this.#key('tags', repository, tag)
    this.#tags.delete(key)
    await this.#objects.delete([key])
  }

  /** Drops the tags that point at `digest`. */
  async dropLeasesOf(repository: RepositoryName, digest: Digest): Promise<void> {
    const prefix = this.#key('tags', repository, '')
    for await (const keys of this.#keys(prefix)) {
      const leases = await Promise.all(keys.map(async (key) => ({ key, lease: await this.lease(repository, key.slice(prefix.length) as Tag) })))
      const dropped = leases.filter(({ lease }) => lease?.descriptor.digest === digest).map(({ key }) => key)
      for (const key of dropped) this.#tags.delete(key)
      await this.#objects.delete(dropped)
    }
  }

  async manifest(repository: RepositoryName, digest: Digest): Promise<Manifest | undefined> {
    const key = this.#key('manifests', repository, digest)
    const known = this.#manifests.get(key)
    if (known) return known
    const bytes = await this.#read(key)
    const manifest = bytes && decodeManifest(bytes)
    if (manifest?.descriptor.digest !== digest) return undefined
    this.#manifests.set(key, manifest)
    return manifest
  }

  async keepManifest(repository: RepositoryName, manifest: Manifest): Promise<void> {
    const key = this.#key('manifests', repository, manifest.descriptor.digest)
    this.#manifests.set(key, manifest)
    await this.#objects.put(key, encodeManifest(manifest))
  }

  async dropManifest(repository: RepositoryName, digest: Digest): Promise<void> {
    const key = this.#key('manifests', repository, digest)
    this.#manifests.delete(key)
    await this.#objects.delete([key])
  }

  /** The size of a blob that the source has confirmed to be this repository's. */
  async link(repository: RepositoryName, digest: Digest): Promise<number | undefined> {
    const key = this.#key('links', repository, digest)
    const known = this.#links.get(key)
    if (known !== undefined) return known
    const bytes = await this.#read(key)
    const link = bytes && parseJson(bytes, isLink)
    if (link) this.#links.set(key, link.size)
    return link?.size
  }

  async keepLink(repository: RepositoryName, digest: Digest, size: number): Promise<void> {
    const key = this.#key('links', repository, digest)
    this.#links.set(key, size)
    await this.#objects.put(key, encodeJson({ size }))
  }

  async dropLink(repository: RepositoryName, digest: Digest): Promise<void> {
    const key = this.#key('links', repository, digest)
    this.#links.delete(key)
    await this.#objects.delete([key])
  }

  async dropRepository(repository: RepositoryName): Promise<void> {
    for (const [kind, memory] of [
      ['tags', this.#tags],
      ['manifests', this.#manifests],
      ['links', this.#links],
    ] as const) {
      const prefix = this.#key(kind, repository, '')
      memory.deletePrefix(prefix)
      for await (const keys of this.#keys(prefix)) await this.#objects.delete(keys)
    }
  }

  #key(kind: 'tags' | 'manifests' | 'links', repository: RepositoryName, name: string): string {
    return `${kind}/${this.#source}/${repository}/@/${name}`
  }

  async *#keys(prefix: string): AsyncGenerator<string[]> {
    for (let last: string | undefined; ; ) {
      const { items, more } = await this.#objects.list(prefix, { limit: PAGE, ...(last !== undefined && { last }) })
      const keys = items.map(({ key }) => key)
      if (keys.length > 0) yield keys
      last = keys.at(-1)
      if (!more || last === undefined) return
    }
  }

  async #read(key: string): Promise<Uint8Array | undefined> {
    const object = await this.#objects.get(key)
    return object && new Uint8Array(await new Response(object.stream).arrayBuffer())
  }
}

/** The descriptor on a line of its own, then the very bytes. */
function encodeManifest({ descriptor, bytes }: Manifest): Uint8Array {
  const head = encodeJson(descriptor)
  const record = new Uint8Array(head.length + 1 + bytes.length)
  record.set(head)
  record[head.length] = NEWLINE
  record.set(bytes, head.length + 1)
  return record
}

function decodeManifest(record: Uint8Array): Manifest | undefined {
  const end = record.indexOf(NEWLINE)
  const descriptor = parseJson(record.subarray(0, Math.max(0, end)), isDescriptor)
  const bytes = record.subarray(end + 1)
  return descriptor?.size === bytes.length ? { descriptor, bytes } : undefined
}

function encodeJson(value: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}

function parseJson<T>(bytes: Uint8Array, is: (value: unknown) => value is T): T | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes))
    return is(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isDescriptor(value: unknown): value is Descriptor {
  if (typeof value !== 'object' || value === null) return false
  const { mediaType, digest, size } = value as Partial<Descriptor>
  return typeof mediaType === 'string' && typeof digest === 'string' && isDigest(digest) && Number.isSafeInteger(size)
}

function isLease(value: unknown): value is TagLease {
  if (typeof value !== 'object' || value === null) return false
  const { descriptor, fetchedAt } = value as Partial<TagLease>
  return isDescriptor(descriptor) && Number.isFinite(fetchedAt)
}

function isLink(value: unknown): value is { readonly size: number } {
  return typeof value === 'object' && value !== null && 'size' in value && Number.isSafeInteger(value.size)
}
