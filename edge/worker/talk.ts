import type { JWK } from 'jose'
import type { PolicyDocument } from '../../mesh/documents.ts'
import type { Enrolment, UpstreamBudget } from '../../mesh/enrolment.ts'
import type { FeedEntry } from '../../mesh/feed.ts'
import { type ErrorCode, RegistryError } from '../../registry/spec/errors.ts'
import type { Credentials, Granted } from '../away/grants.ts'
import type { MeshStatus } from '../mesh.ts'

// What isolates and fills ask of their Link. It stays inside one Worker.

/** POST: what has happened since `after` of `run`. */
export interface Poll {
  readonly after: number
  readonly run: number
  /** Which state of the upstreams' budgets is known; absent: who asks does not care for them. */
  readonly budgets?: number
}

export interface PollAnswer {
  readonly status: MeshStatus
  readonly trusted: boolean
  /** undefined: too much has happened, or it is another run: forget everything. */
  readonly entries?: readonly FeedEntry[]
  /** How far the origin's clock is ahead, in milliseconds. */
  readonly offset: number
  /** Where the origin is asked now: of a pair of sites, the primary. */
  readonly origin: string
  /** What upstreams say of their limits, if that is news. */
  readonly budgets?: { readonly version: number; readonly budgets: readonly UpstreamBudget[] }
  /** Absent before the enrolment. The key never leaves this Worker. */
  readonly member?: { readonly enrolment: Enrolment; readonly key: JWK }
}

/** POST: one document. */
export interface DocumentQuestion {
  readonly kind: PolicyDocument['type']
  readonly name: string
}

export interface DocumentAnswer {
  readonly document?: PolicyDocument
  /** How far the feed had been followed then. */
  readonly cursor: number
}

/** POST: a login to keep, or to find. The secret never leaves this Worker. */
export interface GrantQuestion {
  readonly login: Credentials
  /** To keep: whom the origin has accepted. */
  readonly granted?: Granted
  readonly client?: string
}

export interface GrantAnswer {
  readonly granted?: Granted | 'over'
}

/** A refusal as it goes from one part of a Worker to another. */
export function errorResponse(error: unknown): Response {
  const known = error instanceof RegistryError ? error : new RegistryError('UNAVAILABLE', 'A part of this edge failed.', undefined, { cause: error })
  return Response.json({ code: known.code, message: known.message, status: known.status, headers: known.headers }, { status: 500 })
}

/** @throws the RegistryError that the other part threw */
export async function answerOf<T>(response: Response): Promise<T> {
  if (response.ok) return (await response.json()) as T
  const { code, message, status, headers } = (await response.json()) as {
    code: ErrorCode
    message: string
    status: number
    headers: Record<string, string>
  }
  throw new RegistryError(code, message, undefined, { status, headers })
}
