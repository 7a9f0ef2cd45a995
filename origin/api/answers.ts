import { z } from '@hono/zod-openapi'

// What routes say of their answers, for the OpenAPI description and the types of handlers.

const Errors = z.object({ errors: z.array(z.object({ code: z.string(), message: z.string() })) }).openapi('Errors')

/** 200 with a body of JSON. */
export function json<T extends z.ZodType>(schema: T, description: string) {
  return { description, content: { 'application/json': { schema } } } as const
}

/** 200 or 201 without a body. */
export function empty(description: string) {
  return { description } as const
}

const REFUSALS = {
  400: { description: 'Something in the request is wrong; the message names it.', content: { 'application/json': { schema: Errors } } },
  401: { description: 'Nobody is logged in, or the credential is wrong.', content: { 'application/json': { schema: Errors } } },
  403: { description: 'Known, and not allowed.', content: { 'application/json': { schema: Errors } } },
  404: { description: 'Not there, or hidden from whoever asks.', content: { 'application/json': { schema: Errors } } },
  409: { description: 'There is one already.', content: { 'application/json': { schema: Errors } } },
  412: { description: 'Something else stands in the way.', content: { 'application/json': { schema: Errors } } },
} as const

type Refusal = keyof typeof REFUSALS

/** The refusals that a route may answer with. */
export function refusals<S extends Refusal>(...statuses: S[]): Pick<typeof REFUSALS, S> {
  const picked: Partial<Record<Refusal, (typeof REFUSALS)[Refusal]>> = {}
  for (const status of statuses) Object.assign(picked, { [status]: REFUSALS[status] })
  return picked as Pick<typeof REFUSALS, S>
}
