import type { z } from 'zod'
import { RegistryError } from '../../registry/spec/errors.ts'
import { smallBody } from '../../runtime/http/small-body.ts'
import { BODY_BYTES } from './limits.ts'

/** The JSON body of a request, of at most `limit` bytes, as the schema wants it. @throws RegistryError 400, 413 */
export async function readBody<T>(request: Request, schema: z.ZodType<T>, limit: number = BODY_BYTES): Promise<T> {
  const result = schema.safeParse(await readJson(request, limit))
  if (result.success) return result.data
  const problems = result.error.issues.slice(0, 10).map(({ path, message }) => `${path.join('.') || 'the body'}: ${message}`)
  throw bad(problems.join('; '))
}

async function readJson(request: Request, limit: number): Promise<unknown> {
  const bytes = await smallBody(request, limit)
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw bad('The body is not JSON.', cause)
  }
}

function bad(message: string, cause?: unknown): RegistryError {
  return new RegistryError('UNSUPPORTED', message, undefined, { status: 400, cause })
}
