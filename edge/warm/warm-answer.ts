import type { Registry } from '../../registry/registry.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { parseReference, parseRepositoryName, type Reference, type RepositoryName } from '../../registry/spec/names.ts'
import { readText } from '../bodies.ts'
import { WARM_REQUEST_BYTES, WARM_RETRY_AFTER_S, WARMINGS_AT_ONCE } from './limits.ts'
import { type WarmEvent, warmImage } from './warm-image.ts'

/** What is asked for: `{"image": "team/app:1.0.0", "platforms": ["linux/amd64"]}`. */
interface Asked {
  readonly name: RepositoryName
  readonly reference: Reference
  readonly platforms: readonly string[]
}

const PLATFORM = /^[a-z0-9]+\/[a-z0-9]+(?:\/[a-z0-9.]+)?$/

/** Warms images for those who may pull them, and tells how it gets on, a line of JSON for each event; the last is `done` or `error`. */
export class Warmings {
  readonly #turns = new Set<object>()

  /** `open`: the registry as the sender of this request sees it. @throws RegistryError for requests that make no sense, UNAVAILABLE when enough is going on */
  async answer(request: Request, open: (name: RepositoryName) => Promise<Registry>): Promise<Response> {
    const { name, reference, platforms } = await read(request)
    const repository = (await open(name)).repository(name)
    // Refusals come as what they are, before anything is promised.
    if ((await repository.manifests.stat(reference)) === undefined) {
      throw new RegistryError('MANIFEST_UNKNOWN', `${name} has no such manifest.`, { reference })
    }
    if (this.#turns.size >= WARMINGS_AT_ONCE) {
      throw new RegistryError('UNAVAILABLE', `This edge warms ${WARMINGS_AT_ONCE} images at once, and has them.`, undefined, {
        headers: { 'Retry-After': String(WARM_RETRY_AFTER_S) },
      })
    }
    const turn = {}
    this.#turns.add(turn)
    const left = new AbortController()
    const signal = AbortSignal.any([request.signal, left.signal])
    const encoder = new TextEncoder()
    const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => {
        const line = (event: WarmEvent | { readonly event: 'error'; readonly message: string }) => {
          if (!signal.aborted) controller.enqueue(encoder.encode(`${JSON.stringify(event)}\n`))
        }
        warmImage(repository, reference, { platforms, signal, tell: line })
          .catch((error: unknown) => line({ event: 'error', message: messageOf(error) }))
          .finally(() => {
            this.#turns.delete(turn)
            if (!left.signal.aborted) controller.close()
          })
      },
      cancel: (reason) => left.abort(reason ?? new DOMException('Nobody listens any more.', 'AbortError')),
    })
    return new Response(stream, { headers: { 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-store' } })
  }
}

async function read(request: Request): Promise<Asked> {
  let asked: unknown
  try {
    asked = JSON.parse(await readText(new Response(request.body), WARM_REQUEST_BYTES))
  } catch (cause) {
    throw invalid('The body is a short JSON object.', cause)
  }
  const { image, platforms = [] } = (typeof asked === 'object' && asked !== null ? asked : {}) as { image?: unknown; platforms?: unknown }
  if (typeof image !== 'string') throw invalid('image names what to warm, as team/app:1.0.0.')
  if (!Array.isArray(platforms) || platforms.some((each) => typeof each !== 'string' || !PLATFORM.test(each))) {
    throw invalid('platforms is a list like ["linux/amd64"].')
  }
  const at = image.indexOf('@')
  const colon = at < 0 ? image.indexOf(':') : at
  const name = parseRepositoryName(colon < 0 ? image : image.slice(0, colon))
  return { name, reference: parseReference(colon < 0 ? 'latest' : image.slice(colon + 1)), platforms }
}

function invalid(message: string, cause?: unknown): RegistryError {
  return new RegistryError('UNSUPPORTED', message, undefined, { status: 400, cause })
}

/** What may be told of a failure in the middle. */
function messageOf(error: unknown): string {
  return error instanceof RegistryError ? error.message : 'This could not be warmed; the log of the edge says why.'
}
