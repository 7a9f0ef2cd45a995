import type { FeedEntry } from '../../mesh/feed.ts'
import type { Clock } from '../../registry/clock.ts'
import { manifestBody } from '../../registry/http/bodies.ts'
import type { Resource } from '../../registry/http/route.ts'
import type { Log } from '../../registry/log.ts'
import type { Fetch } from '../../registry/remote/index.ts'
import { isDigest } from '../../registry/spec/digests.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { parseReference, parseRepositoryName, type RepositoryName } from '../../registry/spec/names.ts'
import type { Heard } from '../mesh.ts'
import { forward, isGone } from './forward.ts'
import type { Pushes } from './handler.ts'

export interface HandOverOptions {
  readonly origin: URL
  /** Where clients reach the origin. */
  readonly uploads: URL
  /** The largest body that comes through, in bytes. */
  readonly limit: number
  readonly fetch: Fetch
  readonly mesh: Heard
  readonly clock: Clock
  /** Hears what the origin has just acknowledged, so that it is seen here before the feed tells of it. */
  readonly done: (repository: RepositoryName, entries: readonly FeedEntry[]) => Promise<void>
  readonly log: Log
}

/**
 * Clients on this library take an upload at another host for an attack (oras, helm). Their uploads stay here, and are limited.
 * Every other client that was tried goes along: docker, containerd, podman, skopeo, crane, regctl.
 */
const STAYS = /\b(?:oras|helm)/i

/** The origin gives a ticket for an upload to who asks for it so. */
const TICKET_HEADER = 'Atoll-Upload-Ticket'

/** For where bodies are limited: uploads begin here and go on at the origin, everything else passes through. See docs/decisions/0012-push-through.md. */
export class HandOver implements Pushes {
  readonly #options: HandOverOptions

  constructor(options: HandOverOptions) {
    this.#options = options
  }

  /** @throws RegistryError SIZE_INVALID (413) for a body that is too large, with the address where it can go; UNAVAILABLE */
  async answer(request: Request, resource: Resource): Promise<Response> {
    this.#refuseLarge(request)
    if (resource.kind === 'start-upload' && !new URL(request.url).searchParams.has('digest')) return await this.#start(request)
    if (resource.kind !== 'manifest') return await forward({ request, untouched: true }, this.#options)
    const put = request.method === 'PUT'
    const answer = await forward(
      put ? { request, bytes: (await manifestBody(request)) as Uint8Array<ArrayBuffer> } : { request, untouched: true },
      this.#options,
    )
    if (put ? answer.ok : isGone(answer)) await this.#tell(request, resource, answer)
    return answer
  }

  async #tell(request: Request, { name, key }: { readonly name: string; readonly key: string }, answer: Response): Promise<void> {
    const repository = parseRepositoryName(name)
    const reference = parseReference(key)
    const digest = answer.headers.get('docker-content-digest')
    const pushed = request.method === 'PUT' && digest !== null && isDigest(digest) ? digest : null
    const tags = [...(reference.tag === undefined ? [] : [reference.tag]), ...new URL(request.url).searchParams.getAll('tag')]
    const entries: FeedEntry[] = tags.map((tag) => ({ kind: 'tag', seq: 0, repository, tag, digest: pushed }))
    if (pushed === null && reference.digest !== undefined) entries.push({ kind: 'manifest-deleted', seq: 0, repository, digest: reference.digest })
    try {
      await this.#options.done(repository, entries)
    } catch (error) {
      // The origin has it, and its feed will tell.
      this.#options.log.warn({ error, repository }, 'what was pushed is seen here a moment later')
    }
  }

  async #start(request: Request): Promise<Response> {
    const answer = await forward({ request, headers: { [TICKET_HEADER]: '1' }, untouched: true }, this.#options)
    const location = answer.headers.get('location')
    if (answer.status !== 202 || location === null) return answer
    if (STAYS.test(request.headers.get('user-agent') ?? '')) return answer
    const headers = new Headers(answer.headers)
    headers.set('location', new URL(location, this.#options.uploads).href)
    return new Response(answer.body, { status: answer.status, headers })
  }

  /** Before the body is read: Cloudflare would cut it off without a sentence. */
  #refuseLarge(request: Request): void {
    const { limit, uploads } = this.#options
    const length = Number(request.headers.get('content-length') ?? 0)
    if (length <= limit) return
    throw new RegistryError(
      'SIZE_INVALID',
      `This edge takes bodies of up to ${limit} bytes. Push to ${uploads.host} instead; what is there can be pulled here at once.`,
      { size: length, limit, push: uploads.host },
      { status: 413 },
    )
  }
}
