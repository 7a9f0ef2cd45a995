import type { Manifest, Repository } from '../registry.ts'
import type { Descriptor } from '../spec/descriptors.ts'
import { parseManifest } from '../spec/manifests.ts'

const CREATED = 'org.opencontainers.image.created'
/** Configurations are small; what is larger is not read. */
const CONFIG_LIMIT = 1024 * 1024

/**
 * When an artifact says that it was created: its annotation, or its config, or for an index that of its first platform. Milliseconds since the
 * epoch; undefined: it does not say. It is the maker's word: it keeps out what was made carelessly new, not what was made to look old.
 */
export async function createdAt(repository: Repository, { descriptor, bytes }: Manifest): Promise<number | undefined> {
  const { annotations, blobs, manifests } = parseManifest(bytes, descriptor.mediaType)
  const stated = timeOf(annotations?.[CREATED])
  if (stated !== undefined) return stated
  const [config] = blobs
  if (config !== undefined) return await configTime(repository, config)
  const child = manifests.find(({ platform }) => platform?.os !== undefined && platform.os !== 'unknown') ?? manifests[0]
  const manifest = child && (await repository.manifests.get({ digest: child.digest }))
  if (manifest === undefined) return undefined
  const inner = parseManifest(manifest.bytes, manifest.descriptor.mediaType)
  const innerConfig = inner.blobs[0]
  return timeOf(inner.annotations?.[CREATED]) ?? (innerConfig && (await configTime(repository, innerConfig)))
}

async function configTime(repository: Repository, { digest, size }: Descriptor): Promise<number | undefined> {
  if (size > CONFIG_LIMIT) return undefined
  const body = await repository.blobs.open(digest)
  if (body?.stream === undefined) return undefined
  const text = await new Response(body.stream as ReadableStream<Uint8Array<ArrayBuffer>>).text()
  return timeOf(createdIn(text))
}

function createdIn(text: string): unknown {
  try {
    const document: unknown = JSON.parse(text)
    return typeof document === 'object' && document !== null && 'created' in document ? document.created : undefined
  } catch {
    return undefined
  }
}

function timeOf(value: unknown): number | undefined {
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isNaN(time) ? undefined : time
}
