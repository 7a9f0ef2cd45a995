import { createMiddleware } from 'hono/factory'
import { RegistryError } from '../../registry/spec/errors.ts'
import { smallBody } from '../../runtime/http/small-body.ts'
import { ApiError } from './errors.ts'
import { BODY_LIMIT } from './limits.ts'
import type { ApiEnv } from './variables.ts'

/**
 * No body of the API is large. One that says its length is believed, since the server counts; one that comes in chunks is read here, and kept for
 * whoever asks for it next. @throws ApiError PAYLOAD_TOO_LARGE, BAD_REQUEST when it breaks off
 */
export const limitedBody = createMiddleware<ApiEnv>(async (c, next) => {
  const { raw } = c.req
  const length = c.req.header('Transfer-Encoding') === undefined ? c.req.header('Content-Length') : undefined
  if (length !== undefined && Number(length) > BODY_LIMIT) throw tooLarge()
  if (length === undefined && raw.body !== null) Object.assign(c.req.bodyCache, { arrayBuffer: Promise.resolve(await read(raw)) })
  await next()
})

async function read(request: Request): Promise<ArrayBuffer> {
  try {
    return Uint8Array.from(await smallBody(request, BODY_LIMIT)).buffer
  } catch (error) {
    throw error instanceof RegistryError ? tooLarge() : new ApiError('BAD_REQUEST', 'The body broke off before its end.')
  }
}

const tooLarge = () => new ApiError('PAYLOAD_TOO_LARGE', `A body holds ${BODY_LIMIT} bytes at most.`)
