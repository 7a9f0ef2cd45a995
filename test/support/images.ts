import { createHash, randomBytes } from 'node:crypto'
import type { Descriptor } from '../../registry/spec/descriptors.ts'
import { type Digest, parseDigest } from '../../registry/spec/digests.ts'
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from '../../registry/spec/media-types.ts'

const LAYER = 'application/vnd.oci.image.layer.v1.tar'

export interface TestBlob {
  readonly digest: Digest
  readonly bytes: Uint8Array
}

export interface TestManifest extends TestBlob {
  readonly mediaType: string
}

/** An image or an index with everything under it, made without any tool. */
export interface TestImage {
  readonly manifest: TestManifest
  /** The images of an index. */
  readonly children: readonly TestImage[]
  /** Config first, then layers. Empty for an index. */
  readonly blobs: readonly TestBlob[]
  readonly layers: readonly TestBlob[]
}

export function sha256(bytes: Uint8Array): Digest {
  return parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
}

export function testBlob(bytes: Uint8Array): TestBlob {
  return { digest: sha256(bytes), bytes }
}

export function descriptorOf({ digest, bytes }: TestBlob, mediaType: string): Descriptor {
  return { mediaType, digest, size: bytes.length }
}

export interface RandomImageOptions {
  /** The layers, or their sizes in bytes. */
  readonly layers?: readonly (number | Uint8Array)[]
  readonly architecture?: string
  /** When it says that it was made (RFC 3339). */
  readonly created?: string
  /** What the image refers to. */
  readonly subject?: TestManifest
}

/** An image with random layers. */
export function randomImage(options: RandomImageOptions = {}): TestImage {
  const layers = (options.layers ?? [10_000]).map((layer) => testBlob(typeof layer === 'number' ? randomBytes(layer) : layer))
  const config = json({
    ...(options.created !== undefined && { created: options.created }),
    os: 'linux',
    architecture: options.architecture ?? 'amd64',
    config: {},
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
  })
  const manifest = json({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: descriptorOf(config, OCI_CONFIG),
    layers: layers.map((layer) => descriptorOf(layer, LAYER)),
    ...(options.subject && { subject: descriptorOf(options.subject, options.subject.mediaType) }),
  })
  return { manifest: { ...manifest, mediaType: OCI_MANIFEST }, children: [], blobs: [config, ...layers], layers }
}

/** An index over images, one for each architecture. */
export function randomIndex(architectures: readonly string[], layers: readonly number[] = [10_000]): TestImage {
  const children = architectures.map((architecture) => randomImage({ layers, architecture }))
  const manifests = children.map(({ manifest }, index) => ({
    ...descriptorOf(manifest, OCI_MANIFEST),
    platform: { os: 'linux', architecture: architectures[index] },
  }))
  const manifest = json({ schemaVersion: 2, mediaType: OCI_INDEX, manifests })
  return { manifest: { ...manifest, mediaType: OCI_INDEX }, children, blobs: [], layers: [] }
}

export interface PushTarget {
  readonly url: URL
  readonly repository: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Pushes an image bottom up by plain HTTP, under its digest and these tags. */
export async function pushImage(target: PushTarget, image: TestImage, ...tags: readonly string[]): Promise<void> {
  for (const child of image.children) await pushImage(target, child)
  for (const blob of image.blobs) await pushBlob(target, blob)
  for (const reference of tags.length > 0 ? tags : [image.manifest.digest]) {
    await expectStatus(201, `/v2/${target.repository}/manifests/${reference}`, target, {
      method: 'PUT',
      headers: { 'Content-Type': image.manifest.mediaType },
      body: new Uint8Array(image.manifest.bytes),
    })
  }
}

export async function pushBlob(target: PushTarget, blob: TestBlob): Promise<void> {
  const begun = await expectStatus(202, `/v2/${target.repository}/blobs/uploads/`, target, { method: 'POST' })
  const location = new URL(begun.headers.get('location') ?? '', target.url)
  location.searchParams.set('digest', blob.digest)
  await expectStatus(201, location.href, target, {
    method: 'PUT',
    headers: { 'Content-Type': 'application/octet-stream' },
    body: new Uint8Array(blob.bytes),
  })
}

async function expectStatus(status: number, path: string, { url, headers }: PushTarget, init: RequestInit): Promise<Response> {
  const answer = await fetch(new URL(path, url), { ...init, headers: { ...headers, ...init.headers } })
  const text = await answer.text()
  if (answer.status !== status) throw new Error(`${init.method} ${path} answered ${answer.status} instead of ${status}: ${text}`)
  return answer
}

function json(document: object): TestBlob {
  return testBlob(new TextEncoder().encode(JSON.stringify(document)))
}
