import { pathOf } from '../../registry/http/path.ts'
import type { Log } from '../../registry/log.ts'
import type { ConnectionInfo } from '../http-server.ts'
import type { Exposition } from './metrics-page.ts'
import type { RequestIdentity } from './request-id.ts'
import { routeClassOf } from './route-class.ts'
import type { AnswerTimes } from './times.ts'

export type Handler = (request: Request, connection: ConnectionInfo) => Response | Promise<Response>

export interface ObserveOptions {
  readonly identity: RequestIdentity
  readonly times: AnswerTimes
  /** Shown to this machine's own; undefined: elsewhere, or nowhere. */
  readonly page?: Exposition
  readonly log: Log
  /** How important a line for each answer is; `debug` when absent. */
  readonly level?: 'info' | 'debug'
}

/** The same handler: each request has one name in all that is logged and asked for it, and each answer is counted. */
export function observed(handler: Handler, { identity, times, page, log, level = 'debug' }: ObserveOptions): Handler {
  const told = log.isLevelEnabled?.(level) ?? true
  return async (request, connection) => {
    if (page !== undefined && request.url.endsWith('/metrics') && page.admits(request, connection)) return await page.answer()
    const { method } = request
    const requestId = identity.name(request)
    const began = performance.now()
    times.begin()
    let status = 500
    try {
      const response = await identity.run(requestId, () => handler(request, connection))
      status = response.status
      if (!response.headers.has('X-Request-Id')) response.headers.set('X-Request-Id', requestId)
      return response
    } finally {
      const ms = performance.now() - began
      const route = routeClassOf(request.url)
      times.end(route, status, ms / 1000)
      if (told) {
        const took = Math.round(ms * 10) / 10
        log[level]({ requestId, method, path: pathOf(request), route, status, ms: took, from: connection.remoteAddress }, 'answered')
      }
    }
  }
}
