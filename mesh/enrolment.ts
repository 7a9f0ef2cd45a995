// How an edge joins, and the paths that origin and edges speak over. Bodies are JSON unless said otherwise.

import type { JWK } from 'jose'

export const MESH = {
  /** POST: an EnrolmentRequest → 201 Enrolment. The one-time token is the credential. */
  enrol: '/api/atoll/v1/mesh/enrol',
  /** GET, signed → 200 JWS of a ProjectDocument (application/jose), 404 there is none. */
  project: (name: string) => `/api/atoll/v1/mesh/projects/${encodeURIComponent(name)}`,
  /** GET, signed → 200 JWS of a PrincipalDocument, 404. */
  principal: (id: string) => `/api/atoll/v1/mesh/principals/${encodeURIComponent(id)}`,
  /** GET, signed → 200 JWS of the MirrorsDocument. */
  mirrors: '/api/atoll/v1/mesh/mirrors',
  /** GET, signed → 200 JWS of the EdgesDocument. */
  edges: '/api/atoll/v1/mesh/edges',
  /** GET ?after=<seq>, signed → 200 application/jose-seq: a stream of lines, each the JWS of a FeedBatch. Without `after` it begins at the head. */
  feed: '/api/atoll/v1/mesh/feed',
  /** POST, signed: a TokenRequest → 200 TokenAnswer, 401 wrong credential. */
  tokens: '/api/atoll/v1/mesh/tokens',
  /** POST, signed: {project, scope} → 200 {token, expiresAt, url}, 401 when the upstream only knows passwords. */
  upstreamTokens: '/api/atoll/v1/mesh/upstream-tokens',
  /** POST, signed: an EdgeReport → 204. */
  report: '/api/atoll/v1/mesh/report',
  /** POST, signed: a PullBatch (pulls.ts) → 204, also for one that was taken before. */
  pulls: '/api/atoll/v1/mesh/pulls',
  jwks: '/.well-known/jwks.json',
} as const

export interface EnrolmentRequest {
  readonly token: string
  /** The edge's public key, Ed25519 (kty OKP). */
  readonly publicKey: JWK
  /**
   * A request proof (see signing.ts) over this very request, so that nobody enrols a key that is not his. Its issuer is the key's
   * id (`keyId`): the edge has no other yet.
   */
  readonly proof: string
  /** Where clients reach this edge, for instance https://edge-fra.example.com. */
  readonly url: string
  readonly version: string
}

export interface Enrolment {
  readonly id: string
  readonly name: string
  readonly region: string
  /** `iss` and `aud` of the origin's tokens. */
  readonly issuer: string
  readonly service: string
  readonly jwks: { readonly keys: readonly JWK[] }
}

export interface TokenRequest {
  readonly username: string
  readonly password: string
  /** As clients send them, for instance `repository:team/app:pull`. */
  readonly scopes: readonly string[]
  /** The network address that the login came from, so that who guesses slows down himself and nobody else. */
  readonly client?: string | undefined
}

export interface TokenAnswer {
  readonly token: string
  /** Seconds. */
  readonly expiresIn: number
  /** JWS of the PrincipalDocument of whom the token is for. */
  readonly principal: string
}

export interface EdgeReport {
  readonly version: string
  readonly cursor: number
  /** Where clients reach it, as its administrator says; absent: as it was enrolled. */
  readonly url?: string | undefined
  readonly hits: number
  readonly misses: number
  readonly bytesServed: number
  readonly bytesFetched: number
  readonly diskBytes: number
  /** Why nobody should be sent there, though it answers; absent: it is well. */
  readonly unwell?: string | undefined
  /** Tags served though their source could not confirm them. */
  readonly stale?: number | undefined
  /** Blobs that were fetched, by what became of them. */
  readonly fills?: FillReport | undefined
  /** What its blobs are kept in: a disk, or buckets. */
  readonly caches?: readonly CacheReport[] | undefined
  /** How often the upstreams that say so may still be asked from there. */
  readonly upstreams?: readonly UpstreamBudget[] | undefined
}

/** Counted since the edge began to count. */
export interface FillReport {
  readonly begun: number
  readonly completed: number
  /** Passed through without being stored. */
  readonly passed: number
  readonly failed: number
  /** Its source sent other bytes. */
  readonly wrong: number
}

/** A place for blobs with a budget. */
export interface CacheReport {
  readonly name: string
  /** Bytes that are there, and bytes that are promised to fills under way. */
  readonly stored: number
  readonly reserved: number
  /** Absent: it has no end. */
  readonly capacity?: number | undefined
  /** Blobs and drafts. */
  readonly blobs: number
  readonly evicted: number
  readonly evictedBytes: number
  /** Fills that found no room. */
  readonly refused: number
}

/** Caches in one report. */
export const CACHES_LIMIT = 50

/** What an upstream has said of its limits for one credential. Times are milliseconds since the epoch. */
export interface UpstreamBudget {
  /** Its host. */
  readonly upstream: string
  /** `anonymous`, or the login as the document of a project calls it. */
  readonly credential: string
  readonly limit?: number | undefined
  readonly remaining?: number | undefined
  /** For how many seconds the limit holds. */
  readonly windowSeconds?: number | undefined
  /** Whom it counts, as it says: an address, an account. */
  readonly countedAs?: string | undefined
  /** When it said so. */
  readonly at: number
  /** It wants to be left alone until then. */
  readonly limitedUntil?: number | undefined
}

/** The answer to a report: what other edges have heard since of the logins in it. Without news it is empty (204). */
export interface ReportAnswer {
  readonly upstreams: readonly UpstreamBudget[]
}

/** Budgets in one report. */
export const BUDGETS_LIMIT = 100
