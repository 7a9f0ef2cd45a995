import { OpenAPIHono, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { OriginServices } from '../services.ts'
import { ApiError, badField } from './errors.ts'
import type { Guard } from './guard.ts'
import { whereNoText } from './texts.ts'
import type { ApiEnv } from './variables.ts'

/** Where this API is mounted. */
export const BASE_PATH = '/api/v2.0'

/** What each file of routes is made from. */
export interface ApiParts {
  readonly services: OriginServices
  readonly guard: Guard
}

/** The routes of one tag, which refuse wrong parameters and bodies with the name of the field. */
export function routes(): OpenAPIHono<ApiEnv> {
  return new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      if (!result.success) throw invalid(result.error)
      const where = whereNoText(result.data)
      if (where !== undefined) throw badField(where || 'body', 'has a character that is none: NUL, or half of a surrogate pair')
    },
  })
}

/** 400 that names each field and what is wrong with it. */
export function invalid(error: z.ZodError): ApiError {
  const problems = error.issues.slice(0, 10).map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`))
  return new ApiError('BAD_REQUEST', problems.join('; '), { cause: error })
}

/** 201 with the address of what was made. */
export function created(c: Context, location: string): Response {
  return c.body(null, 201, { Location: `${BASE_PATH}${location}` })
}

/** 200 with a text; without a word there is no body, and nothing to say of its type. */
export function plainText(c: Context, text: string, contentType = 'text/plain; charset=utf-8') {
  const answer = c.text(text, 200, { 'Content-Type': contentType })
  if (text === '') answer.headers.delete('Content-Type')
  return answer
}

/**
 * A whole number in JSON, or its digits as a text, as some clients write it. Nothing else becomes one: what was left empty must not mean 0 where 0
 * keeps nothing.
 */
export const wholeNumber = (error: string) =>
  z
    .union(
      [
        z.number(),
        z
          .string()
          .regex(/^\d{1,15}$/)
          .transform(Number),
      ],
      { error },
    )
    .pipe(z.number({ error }).int(error).min(0, error))

/** An id in a path. */
export const id = z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER)

/** Milliseconds since the epoch, as this API writes a time. */
export function instant(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}
