import { steady } from '../clock.ts'
import type { Manifest, ManifestHead, ManifestInput, ManifestReceipt, Manifests } from '../registry.ts'
import type { Descriptor } from '../spec/descriptors.ts'
import { algorithmOf, type Digest, type DigestAlgorithm, isDigest } from '../spec/digests.ts'
import { RegistryError } from '../spec/errors.ts'
import { essence, isMediaType, MANIFEST_ACCEPT, OCI_INDEX, OCI_MANIFEST, OCTETS } from '../spec/media-types.ts'
import { type Reference, type RepositoryName, referenceText } from '../spec/names.ts'
import { readAll } from './bodies.ts'
import { type Client, scopesOf } from './client.ts'
import { upstreamInvalid } from './errors.ts'
import { type Taken, takesNoHead } from './taken.ts'
import type { Reply } from './transport.ts'
import { warningsOf } from './warnings.ts'

// Artifacts may have any media type; those that we know are preferred.
const ACCEPT = [...MANIFEST_ACCEPT, '*/*;q=0.5'].join(', ')

export class RemoteManifests implements Manifests {
  readonly #client: Client
  readonly #name: string
  readonly #heads: Taken

  constructor(client: Client, name: RepositoryName, heads: Taken) {
    this.#client = client
    this.#name = client.nameOf(name)
    this.#heads = heads
  }

  async stat(reference: Reference): Promise<ManifestHead | undefined> {
    if (!this.#heads.taken) return await this.#headOfWhole(reference)
    const answer = await this.#send('HEAD', reference)
    if (takesNoHead(answer.status)) {
      await answer.discard()
      const head = await this.#headOfWhole(reference)
      if (head) this.#heads.refused()
      return head
    }
    const reply = await this.#found(answer, reference)
    if (reply === undefined) return undefined
    await reply.discard()
    const digest = reference.digest ?? this.#digestHeader(reply)
    const mediaType = essence(reply.headers.get('content-type') ?? '')
    const size = lengthOf(reply)
    // A registry that does not say enough in its head is asked for the manifest itself.
    if (digest === undefined || saysNothing(mediaType) || size === undefined) return await this.#headOfWhole(reference)
    return { descriptor: { mediaType, digest, size }, ...warningsOf(reply.headers) }
  }

  async get(reference: Reference): Promise<Manifest | undefined> {
    const { clock, limits } = this.#client.transport
    const started = steady(clock)
    for (let attempt = 1; ; attempt++) {
      const reply = await this.#found(await this.#send('GET', reference), reference)
      if (reply === undefined) return undefined
      try {
        return await this.#read(reply, reference)
      } catch (error) {
        // Cut in the middle of its answer: what a request gets that was cut before it, a second try.
        const cut = error instanceof RegistryError && error.code === 'UNAVAILABLE'
        if (!cut || attempt >= limits.attempts || steady(clock) - started > limits.retryWindowMs) throw error
      }
    }
  }

  async #read(reply: Reply, reference: Reference): Promise<Manifest> {
    const { transport } = this.#client
    const claimed = reference.digest ?? this.#digestHeader(reply)
    const bytes = await readAll(reply, transport, transport.limits.manifestBytes)
    const digest = await digestOf(bytes, claimed === undefined ? 'sha256' : algorithmOf(claimed))
    if (claimed !== undefined && digest !== claimed) {
      throw upstreamInvalid(reply.url, `answers with a manifest that hashes to ${digest} where ${claimed} is meant.`)
    }
    const document = documentOf(bytes)
    // Nothing but the answer itself says what a tag is: a portal's page, or an error with a good status, is no manifest.
    if (reference.digest === undefined && !isManifest(document)) throw upstreamInvalid(reply.url, 'answers with something that is no manifest.')
    const mediaType = mediaTypeOf(document, essence(reply.headers.get('content-type') ?? ''))
    if (mediaType === '') throw upstreamInvalid(reply.url, 'answers with a manifest without a Content-Type.')
    return { descriptor: { mediaType, digest, size: bytes.byteLength }, bytes, ...warningsOf(reply.headers) }
  }

  async put({ bytes, mediaType, digest, tags }: ManifestInput): Promise<ManifestReceipt> {
    const identity = digest ?? (await digestOf(bytes, 'sha256'))
    let subject: string | null = null
    for (const reference of tags.length > 0 ? tags : [identity]) {
      const reply = await this.#client.send({
        method: 'PUT',
        url: `/v2/${this.#name}/manifests/${reference}`,
        scopes: scopesOf(this.#name, 'pull', 'push'),
        headers: { 'Content-Type': mediaType },
        body: bytes,
        repeatable: true,
      })
      if (reply.status !== 201 && reply.status !== 202 && reply.status !== 200) {
        throw await this.#client.errorOf(reply, `the manifest ${this.#name}:${reference}`)
      }
      await reply.discard()
      const confirmed = reply.headers.get('docker-content-digest')
      if (confirmed !== null && confirmed !== identity && algorithmIs(confirmed, identity)) {
        throw upstreamInvalid(reply.url, `took a manifest as ${confirmed.slice(0, 200)} that is ${identity}.`)
      }
      subject = reply.headers.get('oci-subject') ?? subject
    }
    const descriptor: Descriptor = { mediaType, digest: identity, size: bytes.byteLength }
    return { descriptor, ...(subject !== null && isDigest(subject) && { subject }) }
  }

  async delete(digest: Digest): Promise<boolean> {
    const reply = await this.#client.send({
      method: 'DELETE',
      url: `/v2/${this.#name}/manifests/${digest}`,
      scopes: scopesOf(this.#name, 'pull', 'push', 'delete'),
      repeatable: true,
    })
    if (reply.status !== 404 && (reply.status < 200 || reply.status > 299))
      throw await this.#client.errorOf(reply, `deleting ${this.#name}@${digest}`)
    await reply.discard()
    return reply.status !== 404
  }

  async #headOfWhole(reference: Reference): Promise<ManifestHead | undefined> {
    const manifest = await this.get(reference)
    return manifest && { descriptor: manifest.descriptor, ...(manifest.warnings && { warnings: manifest.warnings }) }
  }

  #send(method: 'GET' | 'HEAD', reference: Reference): Promise<Reply> {
    return this.#client.send({
      method,
      url: `/v2/${this.#name}/manifests/${referenceText(reference)}`,
      scopes: scopesOf(this.#name, 'pull'),
      headers: { Accept: ACCEPT },
      repeatable: true,
    })
  }

  async #found(reply: Reply, reference: Reference): Promise<Reply | undefined> {
    if (reply.status === 404) {
      await reply.discard()
      return undefined
    }
    if (reply.status !== 200) throw await this.#client.errorOf(reply, `the manifest ${this.#name}:${referenceText(reference)}`)
    return reply
  }

  #digestHeader(reply: Reply): Digest | undefined {
    const text = reply.headers.get('docker-content-digest')
    if (text === null) return undefined
    if (!isDigest(text)) throw upstreamInvalid(reply.url, 'answers with a Docker-Content-Digest that is no digest.')
    return text
  }
}

const WEB_CRYPTO_NAMES = { sha256: 'SHA-256', sha512: 'SHA-512' } as const

async function digestOf(bytes: Uint8Array, algorithm: DigestAlgorithm): Promise<Digest> {
  const hash = new Uint8Array(await crypto.subtle.digest(WEB_CRYPTO_NAMES[algorithm], new Uint8Array(bytes)))
  const text = `${algorithm}:${Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')}`
  return text as Digest
}

/** `Content-Length`, if it is a size. */
export function lengthOf(reply: Reply): number | undefined {
  const text = reply.headers.get('content-length')
  return text !== null && /^\d{1,15}$/.test(text) && reply.headers.get('content-encoding') === null ? Number(text) : undefined
}

/** Whether it is the type of no manifest: of an answer that nobody gave a type, or a proxy its own. */
function saysNothing(mediaType: string): boolean {
  return mediaType === '' || mediaType.startsWith('text/') || mediaType === OCTETS || mediaType === 'application/json'
}

function algorithmIs(text: string, digest: Digest): boolean {
  return text.startsWith(`${algorithmOf(digest)}:`)
}

type Document = Readonly<Record<string, unknown>>

function documentOf(bytes: Uint8Array): Document | undefined {
  try {
    const document: unknown = JSON.parse(new TextDecoder().decode(bytes))
    return typeof document === 'object' && document !== null && !Array.isArray(document) ? (document as Document) : undefined
  } catch {
    return undefined
  }
}

/** Of any kind: those of OCI and Docker have a version of their schema, and what else is stored as a manifest says its type. */
function isManifest(document: Document | undefined): boolean {
  return document !== undefined && (Number.isInteger(document.schemaVersion) || ownMediaType(document) !== undefined)
}

/** What a manifest says of itself is under its digest; a header may be anything a proxy makes of it. */
function mediaTypeOf(document: Document | undefined, header: string): string {
  const own = document && ownMediaType(document)
  if (own !== undefined || !saysNothing(header)) return own ?? header
  // The documents of OCI need not say their type.
  if (Array.isArray(document?.manifests)) return OCI_INDEX
  return document?.schemaVersion === 2 && Array.isArray(document.layers) ? OCI_MANIFEST : header
}

function ownMediaType({ mediaType }: Document): string | undefined {
  return typeof mediaType === 'string' && isMediaType(essence(mediaType)) ? essence(mediaType) : undefined
}
