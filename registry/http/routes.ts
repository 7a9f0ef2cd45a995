// The /v2 surface over any Registry. What a request may do is decided by the registry that `open` gives it; nothing is decided here.

import { Hono } from 'hono'
import type { DeltaSupport } from '../delta/support.ts'
import type { Log } from '../log.ts'
import type { Registry } from '../registry.ts'
import { RegistryError } from '../spec/errors.ts'
import { deleteBlob, readBlob } from './blobs.ts'
import { listRepositories } from './catalog.ts'
import { listChunks, readRanges } from './chunks.ts'
import { errorAnswer } from './errors.ts'
import { answer, type Exchange, type MakeWhole, Query } from './exchange.ts'
import { deleteManifest, putManifest, readManifest } from './manifests.ts'
import { listReferrers } from './referrers.ts'
import { type Resource, resourceAt } from './route.ts'
import { listTags } from './tags.ts'
import { appendUpload, cancelUpload, finishUpload, startUpload, uploadStatus } from './uploads.ts'

export interface RegistryRoutesOptions {
  /** The registry as the sender of this request, which is for `resource`, sees it. @throws RegistryError UNAUTHORIZED with its challenge */
  readonly open: (request: Request, resource: Resource) => Promise<Registry>
  /** Whether its sender may talk to this registry at all: what `GET /v2/` asks. @throws RegistryError UNAUTHORIZED with its challenge */
  readonly ping: (request: Request) => Promise<void>
  readonly log: Log
  /** Names a request in the log; a new UUID when absent. */
  readonly requestId?: (request: Request) => string
  /** How answers are made whose whole body is in memory; as any other when absent. */
  readonly whole?: MakeWhole
  /** With it, other sites may ask for deltas and send them. */
  readonly delta?: DeltaSupport
}

type Handler = (exchange: Exchange, name: string, key: string) => Promise<Response>

type Methods = Readonly<Partial<Record<string, Handler>>>

const TABLE: Readonly<Record<Exclude<Resource['kind'], 'ping'>, Methods>> = {
  catalog: { GET: listRepositories, HEAD: listRepositories },
  tags: { GET: listTags, HEAD: listTags },
  manifest: { GET: readManifest, HEAD: readManifest, PUT: putManifest, DELETE: deleteManifest },
  blob: { GET: readBlob, HEAD: readBlob, DELETE: deleteBlob },
  'start-upload': { POST: startUpload },
  upload: { GET: uploadStatus, HEAD: uploadStatus, PATCH: appendUpload, PUT: finishUpload, DELETE: cancelUpload },
  referrers: { GET: listReferrers, HEAD: listReferrers },
  chunks: { GET: listChunks, POST: readRanges },
}
for (const methods of Object.values(TABLE)) Object.setPrototypeOf(methods, null)

/** All of `/v2`, for Node and workerd. Hono carries it into an application; the paths are told apart by `resourceAt`, which is exact and quick. */
export function registryRoutes(options: RegistryRoutesOptions): Hono {
  const handle = registryHandler(options)
  return new Hono().all('/v2', (c) => handle(c.req.raw)).all('/v2/*', (c) => handle(c.req.raw))
}

/** The same, without Hono: a request under `/v2` to its answer. It never throws. */
export function registryHandler(options: RegistryRoutesOptions): (request: Request) => Promise<Response> {
  const errors = { log: options.log, requestId: options.requestId ?? (() => crypto.randomUUID()) }
  return async (request) => {
    try {
      return await dispatch(request, options)
    } catch (error) {
      return errorAnswer(error, request, errors)
    }
  }
}

async function dispatch(request: Request, options: RegistryRoutesOptions): Promise<Response> {
  const { url } = request
  const start = url.indexOf('/', url.indexOf('://') + 3)
  const mark = url.indexOf('?', start)
  const hash = url.indexOf('#', start)
  const end = hash < 0 ? url.length : hash
  const path = url.slice(start, mark < 0 ? end : mark)
  const resource = resourceAt(path)
  if (!resource) throw new RegistryError('UNSUPPORTED', 'The registry has nothing at this path.', undefined, { status: 404 })
  if (resource.kind === 'ping') return ping(request, options)

  const methods = TABLE[resource.kind]
  const handler = methods[request.method]
  if (!handler) throw notAllowed(Object.keys(methods))
  const query = new Query(mark < 0 ? '' : url.slice(mark + 1, end))
  const exchange: Exchange = { request, registry: await options.open(request, resource), query, whole: options.whole ?? plain, delta: options.delta }
  return handler(exchange, 'name' in resource ? resource.name : '', 'key' in resource ? resource.key : '')
}

const plain: MakeWhole = (bytes, init) => new Response(bytes, init)

/** distribution-spec, "Determining Support". */
async function ping(request: Request, options: RegistryRoutesOptions): Promise<Response> {
  if (request.method !== 'GET' && request.method !== 'HEAD') throw notAllowed(['GET', 'HEAD'])
  await options.ping(request)
  return answer(200, request.method === 'HEAD' ? null : '{}', { 'Content-Type': 'application/json', 'Content-Length': '2' })
}

function notAllowed(methods: readonly string[]): RegistryError {
  return new RegistryError('UNSUPPORTED', `This can be asked with ${methods.join(', ')} only.`, undefined, { headers: { Allow: methods.join(', ') } })
}
