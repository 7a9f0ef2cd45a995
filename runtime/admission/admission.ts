import type { Clock } from '../../registry/clock.ts'
import { jsonAnswer } from '../../registry/http/exchange.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { ConnectionInfo } from '../http-server.ts'
import { paced, Rates } from './rates.ts'
import { Turns } from './turns.ts'

/** 0 is no limit, save for `waiting`. */
export interface AdmissionLimits {
  readonly max: number
  readonly perClient: number
  readonly perProject: number
  readonly waiting: number
  /** Bytes per second. */
  readonly clientRate: number
  readonly projectRate: number
}

type Answer<Info> = (request: Request, connection: Info) => Response | Promise<Response>

/** Longer than a client's own patience helps nobody. */
const WAIT_MS = 30_000

/** `answer` with limits on what moves blobs. Everything else goes straight to it. A place is held until the answer has been sent or cut. */
export function admitted<Info extends ConnectionInfo>(limits: AdmissionLimits, clock: Clock, answer: Answer<Info>): Answer<Info> {
  const turns = new Turns({ ...limits, perTenant: limits.perProject, waitMs: WAIT_MS }, clock)
  const clientRates = new Rates(limits.clientRate, clock)
  const projectRates = new Rates(limits.projectRate, clock)
  const transfer = async (project: string, request: Request, connection: Info) => {
    const client = connection.remoteAddress
    try {
      const release = await turns.take({ client, tenant: project }, () => request.signal)
      if (connection.onEnd) connection.onEnd(release)
      else release()
    } catch (error) {
      // Nobody reads this any more.
      if (request.signal.aborted) return new Response(null, { status: 503 })
      if (!(error instanceof RegistryError)) throw error
      return jsonAnswer(request, error.toJSON(), error.headers, error.status)
    }
    const response = await answer(request, connection)
    if (response.body === null || !(clientRates.limited || projectRates.limited)) return response
    const owe = (bytes: number) => Math.max(clientRates.owe(client, bytes), projectRates.owe(project, bytes))
    return new Response(paced(response.body, owe, clock, request.signal), response)
  }
  return (request, connection) => {
    const project = projectOfTransfer(request)
    return project === undefined ? answer(request, connection) : transfer(project, request, connection)
  }
}

const BLOB = /^[^:/]+:\/\/[^/]*\/v2\/([^/?#]+)\/[^?#]*?blobs\/([^?#]+)/

/** The project whose blob comes or goes; undefined: the request is a small one. */
export function projectOfTransfer({ method, url, headers }: Pick<Request, 'method' | 'url' | 'headers'>): string | undefined {
  if (method === 'HEAD' || method === 'DELETE' || !url.includes('blobs/')) return undefined
  const match = BLOB.exec(url)
  const [project, key] = [match?.[1], match?.[2]]
  if (project === undefined || key === undefined) return undefined
  const upload = key.startsWith('uploads/')
  if (method === 'GET') return upload ? undefined : project
  const brings = headers.has('transfer-encoding') || (headers.get('content-length') ?? '0') !== '0'
  return upload && brings ? project : undefined
}
