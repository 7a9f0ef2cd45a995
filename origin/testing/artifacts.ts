import { createHash } from 'node:crypto'
import type { Descriptor } from '../../registry/spec/descriptors.ts'
import type { Digest } from '../../registry/spec/digests.ts'
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from '../../registry/spec/media-types.ts'
import { parseRepositoryName, parseTag } from '../../registry/spec/names.ts'
import type { TestOrigin } from './origin.ts'

const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip'

/** Pushes to a repository of a test's origin, past every gate. */
export class TestRepository {
  readonly #repository

  constructor({ origin }: TestOrigin, name: string) {
    this.#repository = origin.local.as('user:1').repository(parseRepositoryName(name))
  }

  async blob(content: string | Uint8Array, mediaType = 'application/octet-stream'): Promise<Descriptor> {
    const bytes = Buffer.from(content)
    const digest = digestOf(bytes)
    const { uploads } = this.#repository
    const { id } = await uploads.append((await uploads.begin()).id, new Blob([bytes]).stream())
    await uploads.finish(id, digest)
    return { mediaType, digest, size: bytes.byteLength }
  }

  async manifest(document: object, mediaType: string, ...tags: string[]): Promise<Descriptor> {
    const bytes = Buffer.from(JSON.stringify(document))
    return (await this.#repository.manifests.put({ bytes, mediaType, tags: tags.map(parseTag) })).descriptor
  }

  /** An image of one small layer. */
  async image(content: string, config: object, ...tags: string[]): Promise<Descriptor> {
    const layer = await this.blob(content, LAYER)
    return await this.artifact({ config: await this.blob(JSON.stringify(config), OCI_CONFIG), layers: [layer] }, ...tags)
  }

  /** Any other manifest: a chart, a signature. */
  async artifact(document: object, ...tags: string[]): Promise<Descriptor> {
    return await this.manifest({ schemaVersion: 2, mediaType: OCI_MANIFEST, ...document }, OCI_MANIFEST, ...tags)
  }

  async index(manifests: readonly Descriptor[], ...tags: string[]): Promise<Descriptor> {
    return await this.manifest({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }, OCI_INDEX, ...tags)
  }
}

function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest
}
