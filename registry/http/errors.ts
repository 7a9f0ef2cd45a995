// The one place where an error becomes an answer.

import type { Log } from '../log.ts'
import { RegistryError } from '../spec/errors.ts'
import { jsonAnswer } from './exchange.ts'

export interface ErrorContext {
  readonly log: Log
  /** Names the request in the answer and in the log, so that a report of one finds the other. */
  readonly requestId: (request: Request) => string
}

export function errorAnswer(error: unknown, request: Request, context: ErrorContext): Response {
  if (error instanceof RegistryError) {
    if (error.status >= 500) {
      const requestId = context.requestId(request)
      context.log.warn({ requestId, code: error.code, err: error.cause ?? error }, error.message)
    }
    return jsonAnswer(request, error.toJSON(), { ...error.headers }, error.status)
  }
  const requestId = context.requestId(request)
  if (request.signal.aborted) {
    context.log.debug({ requestId, err: error }, 'A client left before its answer.')
    return errorAnswer(new RegistryError('UNKNOWN', 'The request was cancelled.', undefined, { status: 400 }), request, context)
  }
  context.log.error({ requestId, method: request.method, path: pathOf(request), err: error }, 'A request failed for a reason of our own.')
  const answer = new RegistryError('UNKNOWN', 'Something went wrong here. The administrator finds it in the log by the request id.', { requestId })
  return jsonAnswer(request, answer.toJSON(), { 'X-Request-Id': requestId }, answer.status)
}

/** Without its parameters, which may hold what does not belong into a log. */
function pathOf(request: Request): string {
  return request.url.split('?', 1)[0] ?? ''
}
