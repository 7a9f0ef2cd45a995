import type { Descriptor, Platform } from './descriptors.ts'
import { isDigest } from './digests.ts'
import { RegistryError } from './errors.ts'
import { DOCKER_LIST, DOCKER_MANIFEST, essence, isMediaType, OCI_EMPTY, OCI_INDEX, OCI_MANIFEST } from './media-types.ts'

/** 4 MiB, the size that every registry must take (distribution-spec, "Pushing Manifests"); above it the answer is 413. */
export const MANIFEST_LIMIT = 4 * 1024 * 1024

const DEPTH_LIMIT = 64

const KNOWN: readonly string[] = [OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST]
/** image-spec, "Image Manifest Property Descriptions". */
const SCHEMA_VERSION = 2

/** What a registry needs to know of a manifest. Its bytes stay as they came: nothing here is ever written back. */
export interface ParsedManifest {
  readonly mediaType: string
  readonly artifactType?: string
  /** Config first, then layers. Empty for an index. */
  readonly blobs: readonly Descriptor[]
  /** The children of an index. */
  readonly manifests: readonly Descriptor[]
  readonly subject?: Descriptor
  readonly annotations?: Readonly<Record<string, string>>
}

/**
 * Reads a manifest or index of OCI or Docker schema 2. Any other media type is taken as an opaque document without references.
 * `mediaType` is the Content-Type it came with; the document's own `mediaType`, where it has one, must agree.
 * @throws RegistryError MANIFEST_INVALID, SIZE_INVALID (413)
 */
export function parseManifest(bytes: Uint8Array, mediaType: string): ParsedManifest {
  const parsed = parsedManifest(bytes, mediaType)
  const total = [...parsed.blobs, ...parsed.manifests].reduce((sum, { size }) => sum + size, bytes.byteLength)
  // What nobody can count is no size, though each part of it is one.
  if (!Number.isSafeInteger(total)) throw invalid('The sizes in the manifest are more together than anything can have.')
  return parsed
}

function parsedManifest(bytes: Uint8Array, mediaType: string): ParsedManifest {
  if (bytes.byteLength > MANIFEST_LIMIT) throw manifestTooLarge(bytes.byteLength)
  const document = parseJsonObject(bytes)
  const declared = document.mediaType
  const type = essence(mediaType) || (typeof declared === 'string' ? declared : '')
  if (type === '') throw invalid('A manifest needs a Content-Type.')
  // It will be a header of every answer that serves this manifest.
  if (!isMediaType(type)) throw invalid('The Content-Type of a manifest is type/subtype (RFC 6838).', { contentType: type.slice(0, 200) })
  if (declared !== undefined && declared !== type) {
    throw invalid('The mediaType inside the manifest differs from its Content-Type.', {
      contentType: type,
      mediaType: String(declared).slice(0, 200),
    })
  }
  const subject = document.subject === undefined ? undefined : descriptor(document.subject, 'subject')
  const annotations = stringMap(document.annotations, 'annotations')
  const own = optionalString(document.artifactType, 'artifactType')
  const common = { mediaType: type, ...(subject && { subject }), ...(annotations && { annotations }) }

  if (KNOWN.includes(type) && (document.schemaVersion ?? SCHEMA_VERSION) !== SCHEMA_VERSION) {
    throw invalid(`The schemaVersion of ${type} is ${SCHEMA_VERSION}.`)
  }
  if (type === OCI_INDEX || type === DOCKER_LIST) {
    if (document.layers !== undefined || document.config !== undefined) throw invalid('An index has no config and no layers.')
    return { ...common, ...(own !== undefined && { artifactType: own }), blobs: [], manifests: list(document.manifests, 'manifests') }
  }
  if (type === OCI_MANIFEST || type === DOCKER_MANIFEST) {
    if (document.manifests !== undefined) throw invalid('An image manifest has no manifests; an index has.')
    const config = descriptor(document.config, 'config')
    // distribution-spec, "Listing Referrers": without an artifactType of its own an image is what its config says.
    const artifactType = own ?? (config.mediaType === OCI_EMPTY ? undefined : config.mediaType)
    return { ...common, ...(artifactType !== undefined && { artifactType }), blobs: [config, ...list(document.layers, 'layers')], manifests: [] }
  }
  return { ...common, ...(own !== undefined && { artifactType: own }), blobs: [], manifests: [] }
}

export function manifestTooLarge(size?: number): RegistryError {
  return new RegistryError('SIZE_INVALID', `A manifest has at most ${MANIFEST_LIMIT} bytes.`, size === undefined ? undefined : { size }, {
    status: 413,
  })
}

/** How a manifest appears in a list of referrers (distribution-spec, "Listing Referrers"). */
export function referrerDescriptor(manifest: ParsedManifest, identity: Pick<Descriptor, 'digest' | 'size'>): Descriptor {
  return {
    mediaType: manifest.mediaType,
    digest: identity.digest,
    size: identity.size,
    ...(manifest.artifactType !== undefined && { artifactType: manifest.artifactType }),
    ...(manifest.annotations && { annotations: manifest.annotations }),
  }
}

type Json = Readonly<Record<string, unknown>>

function parseJsonObject(bytes: Uint8Array): Json {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw invalid('A manifest is UTF-8 text.')
  }
  refuseDeepNesting(text)
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    throw invalid('A manifest is a JSON document, and this is none.')
  }
  if (!isObject(document)) throw invalid('A manifest is a JSON object.')
  return document
}

/** A document nested thousands deep is an attack on every reader behind us; no manifest needs it. */
function refuseDeepNesting(text: string): void {
  let depth = 0
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i)
    if (quoted) {
      if (char === 0x5c) i++
      else if (char === 0x22) quoted = false
    } else if (char === 0x22) quoted = true
    else if (char === 0x7b || char === 0x5b) {
      if (++depth > DEPTH_LIMIT) throw invalid(`A manifest is nested at most ${DEPTH_LIMIT} deep.`)
    } else if (char === 0x7d || char === 0x5d) depth--
  }
}

function list(value: unknown, field: string): Descriptor[] {
  if (!Array.isArray(value)) throw invalid(`${field} is an array of descriptors.`)
  return value.map((entry, index) => descriptor(entry, `${field}[${index}]`))
}

function descriptor(value: unknown, field: string): Descriptor {
  if (!isObject(value)) throw invalid(`${field} is a descriptor.`)
  const { mediaType, digest, size } = value
  if (typeof mediaType !== 'string') throw invalid(`${field}.mediaType is a string.`)
  if (typeof digest !== 'string' || !isDigest(digest)) throw invalid(`${field}.digest is a digest.`, { digest: String(digest).slice(0, 200) })
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw invalid(`${field}.size is a number of bytes.`)
  const artifactType = optionalString(value.artifactType, `${field}.artifactType`)
  const annotations = stringMap(value.annotations, `${field}.annotations`)
  const platform = value.platform as Platform | null | undefined
  if (platform !== undefined && platform !== null && !isObject(platform)) throw invalid(`${field}.platform is an object.`)
  const urls = value.urls ?? undefined
  if (urls !== undefined && !(Array.isArray(urls) && urls.every((url) => typeof url === 'string')))
    throw invalid(`${field}.urls is an array of strings.`)
  return {
    mediaType,
    digest,
    size,
    ...(artifactType !== undefined && { artifactType }),
    ...(annotations && { annotations }),
    ...(platform && { platform }),
    ...(urls && { urls }),
  }
}

function stringMap(value: unknown, field: string): Record<string, string> | undefined {
  if (value === undefined || value === null) return undefined
  if (!isObject(value) || Object.values(value).some((entry) => typeof entry !== 'string')) throw invalid(`${field} is an object of strings.`)
  return value as Record<string, string>
}

function optionalString(value: unknown, field: string): string | undefined {
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value !== 'string') throw invalid(`${field} is a string.`)
  return value
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalid(message: string, detail?: unknown): RegistryError {
  return new RegistryError('MANIFEST_INVALID', message, detail)
}
