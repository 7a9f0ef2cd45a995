import type { Clock } from '../../registry/clock.ts'
import { manifestBody } from '../../registry/http/bodies.ts'
import type { Resource } from '../../registry/http/route.ts'
import type { Fetch } from '../../registry/remote/index.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { forward } from './forward.ts'
import type { Pushes } from './handler.ts'

export interface HandOverOptions {
  readonly origin: URL
  /** Where clients reach the origin. */
  readonly uploads: URL
  /** The largest body that comes through, in bytes. */
  readonly limit: number
  readonly fetch: Fetch
  readonly clock: Clock
}

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
    if (resource.kind === 'manifest' && request.method === 'PUT') {
      return await forward({ request, bytes: (await manifestBody(request)) as Uint8Array<ArrayBuffer> }, this.#options)
    }
    return await forward({ request, untouched: true }, this.#options)
  }

  async #start(request: Request): Promise<Response> {
    const answer = await forward({ request, headers: { [TICKET_HEADER]: '1' }, untouched: true }, this.#options)
    const location = answer.headers.get('location')
    if (answer.status !== 202 || location === null) return answer
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
