import type { DeltaSupport } from '../delta/support.ts'
import type { Registry } from '../registry.ts'
import { type ErrorCode, RegistryError } from '../spec/errors.ts'

/** One request on its way through the routes: what it asks, and the registry as its caller sees it. */
export interface Exchange {
  readonly request: Request
  readonly registry: Registry
  readonly query: Query
  readonly whole: MakeWhole
  /** What moving deltas takes; undefined: this registry moves whole blobs only. */
  readonly delta: DeltaSupport | undefined
}

/** Makes an answer whose whole body is in memory (null: it has none): what a runtime can send without a stream. */
export type MakeWhole = (
  bytes: Uint8Array<ArrayBuffer> | null,
  init: { readonly status: number; readonly headers: Record<string, string> },
) => Response

const EMPTY = new URLSearchParams()

/** The parameters of a request. A parameter that is there twice with two meanings is refused: a proxy before us may have read the other one. */
export class Query {
  readonly #params: URLSearchParams

  constructor(search: string) {
    this.#params = search === '' ? EMPTY : new URLSearchParams(search)
  }

  /** @throws RegistryError with `code`, 400 */
  one(name: string, code: ErrorCode): string | undefined {
    const values = this.#params.getAll(name)
    const [value] = values
    if (values.some((other) => other !== value))
      throw new RegistryError(code, `The parameter ${name} is given more than once.`, undefined, { status: 400 })
    return value
  }

  all(name: string): readonly string[] {
    return this.#params.getAll(name)
  }
}

export type HeaderValues = Record<string, string>

/** Every answer under /v2 says that this is a registry. Headers are a plain object: the cheapest form for every runtime. */
export function answer(status: number, body: BodyInit | null, headers: HeaderValues): Response {
  headers['Docker-Distribution-Api-Version'] = 'registry/2.0'
  return new Response(body, { status, headers })
}

/** The same for bytes that are in memory, or for none, in the form that this runtime sends best. */
export function wholeAnswer({ whole }: Exchange, status: number, bytes: Uint8Array | null, headers: HeaderValues): Response {
  headers['Docker-Distribution-Api-Version'] = 'registry/2.0'
  return whole(bytes as Uint8Array<ArrayBuffer> | null, { status, headers })
}

export function jsonAnswer(request: Request, body: object, headers: HeaderValues, status = 200): Response {
  const bytes = new TextEncoder().encode(JSON.stringify(body))
  headers['Content-Type'] ??= 'application/json'
  headers['Content-Length'] = String(bytes.byteLength)
  return answer(status, request.method === 'HEAD' ? null : bytes, headers)
}

export function isHead(request: Request): boolean {
  return request.method === 'HEAD'
}
