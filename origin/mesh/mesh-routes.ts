import { Hono } from 'hono'
import { z } from 'zod'
import {
  BUDGETS_LIMIT,
  CACHES_LIMIT,
  type EdgeReport,
  type Enrolment,
  MESH,
  type ReportAnswer,
  type TokenAnswer,
  type TokenRequest,
} from '../../mesh/enrolment.ts'
import type { FeedSites } from '../../mesh/feed.ts'
import type { Knowledge } from '../../mesh/gate.ts'
import { grantedAccess } from '../../mesh/grants.ts'
import type { PullBatch } from '../../mesh/pulls.ts'
import { type Digest, isDigest } from '../../registry/spec/digests.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { isRepositoryName, isTag, type RepositoryName, type Tag } from '../../registry/spec/names.ts'
import type { Database } from '../../schema/database.ts'
import { noteEdge } from '../../schema/edges.ts'
import { takeSpooledPulls } from '../../schema/pulls.ts'
import type { Callers } from '../identity/callers.ts'
import type { Issuer } from '../identity/issuer.ts'
import type { KeyRing } from '../identity/key-ring.ts'
import type { Logins } from '../identity/logins.ts'
import { readBody } from './bodies.ts'
import type { Documents } from './documents.ts'
import type { EdgePresence } from './edge-presence.ts'
import { admitEdge, enrolmentRequest } from './enrol.ts'
import type { FeedHub } from './feed-hub.ts'
import { PULL_BATCH_BYTES, PULL_BATCH_PULLS } from './limits.ts'
import { SharedBudgets } from './shared-budgets.ts'
import type { UpstreamTokens } from './upstream-tokens.ts'

export interface MeshRoutesOptions {
  readonly db: Database
  readonly callers: Callers
  readonly logins: Logins
  readonly issuer: Issuer
  readonly knowledge: Knowledge
  readonly keys: KeyRing
  readonly documents: Documents
  readonly hub: FeedHub
  readonly presence: EdgePresence
  readonly upstreamTokens: UpstreamTokens
  /** The epoch of this site, where it is one of a pair. */
  readonly sites: () => FeedSites | undefined
  readonly newId: () => string
  readonly now: () => number
}

const tokenRequest: z.ZodType<TokenRequest> = z.object({
  username: z.string().max(255),
  password: z.string().max(1024),
  scopes: z.array(z.string().max(4096)).max(100),
  client: z.string().min(1).max(64).optional(),
})

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)
const edgeReport: z.ZodType<EdgeReport> = z.object({
  version: z.string().max(64),
  cursor: count,
  hits: count,
  misses: count,
  bytesServed: count,
  bytesFetched: count,
  diskBytes: count,
  url: z
    .url({ protocol: /^https?$/ })
    .max(2048)
    .optional(),
  unwell: z.string().max(200).optional(),
  stale: count.optional(),
  fills: z.object({ begun: count, completed: count, passed: count, failed: count, wrong: count }).optional(),
  caches: z
    .array(
      z.object({
        name: z.string().max(64),
        stored: count,
        reserved: count,
        capacity: count.optional(),
        blobs: count,
        evicted: count,
        evictedBytes: count,
        refused: count,
      }),
    )
    .max(CACHES_LIMIT)
    .optional(),
  upstreams: z
    .array(
      z.object({
        upstream: z.string().max(300),
        credential: z.string().max(100),
        limit: count.optional(),
        remaining: count.optional(),
        windowSeconds: count.optional(),
        countedAs: z.string().max(200).optional(),
        at: count,
        limitedUntil: count.optional(),
      }),
    )
    .max(BUDGETS_LIMIT)
    .optional(),
})

/** An edge is a member, but what it says is not believed to be well-formed. */
const pullBatch: z.ZodType<PullBatch> = z.object({
  spool: z.string().min(1).max(64),
  number: count.min(1),
  lost: count,
  pulls: z
    .array(
      z.object({
        subject: z.string().min(1).max(255),
        repository: z.custom<RepositoryName>((value) => typeof value === 'string' && isRepositoryName(value), 'is no repository name'),
        digest: z.custom<Digest>((value) => typeof value === 'string' && isDigest(value), 'is no digest'),
        tag: z.custom<Tag>((value) => typeof value === 'string' && isTag(value), 'is no tag').optional(),
        client: z.string().max(64).optional(),
        count: count.min(1),
        first: count,
        last: count,
      }),
    )
    .max(PULL_BATCH_PULLS),
})

const upstreamTokenRequest = z.object({ project: z.string().max(255), scope: z.string().max(1024) })

const JOSE = { 'Content-Type': 'application/jose', 'Cache-Control': 'no-store' }

/** What edges ask of their origin: see mesh/enrolment.ts. Everything but enrolling needs an edge's proof, made for that request. */
export function meshRoutes(options: MeshRoutesOptions): Hono {
  const { db, callers, logins, issuer, knowledge, keys, documents, hub, presence, upstreamTokens, sites, newId, now } = options
  const budgets = new SharedBudgets()
  return new Hono()
    .post(MESH.enrol, async (c) => {
      const edge = await admitEdge(db, await readBody(c.req.raw, enrolmentRequest), c.req.raw, { newId, now })
      const enrolment: Enrolment = {
        id: edge.id,
        name: edge.name,
        region: edge.region,
        issuer: issuer.issuer,
        service: issuer.service,
        jwks: keys.jwks,
      }
      return c.json(enrolment, 201, { 'Cache-Control': 'no-store' })
    })
    .get('/api/atoll/v1/mesh/projects/:name', async (c) => {
      await callers.edge(c.req.raw)
      return document(await documents.project(c.req.param('name')))
    })
    .get('/api/atoll/v1/mesh/principals/:id', async (c) => {
      await callers.edge(c.req.raw)
      return document(await documents.principal(c.req.param('id')))
    })
    .get(MESH.mirrors, async (c) => {
      await callers.edge(c.req.raw)
      return document(await documents.mirrors())
    })
    .get(MESH.edges, async (c) => {
      await callers.edge(c.req.raw)
      return document(await documents.edges())
    })
    .get(MESH.feed, async (c) => {
      const edge = await callers.edge(c.req.raw)
      const after = c.req.query('after')
      if (after !== undefined && !/^\d{1,15}$/.test(after))
        throw new RegistryError('UNSUPPORTED', 'after is not a sequence number.', undefined, { status: 400 })
      // What another primary said, this one may never have heard of.
      const epoch = c.req.query('epoch')
      if (after !== undefined && epoch !== undefined && Number(epoch) !== sites()?.epoch)
        throw new RegistryError('RANGE_INVALID', 'Another site has taken over since: what it says begins anew.')
      const nonce = c.req.query('nonce')
      if (nonce !== undefined && !/^[\w-]{1,64}$/.test(nonce))
        throw new RegistryError('UNSUPPORTED', 'nonce has letters, digits and dashes, and at most 64 of them.', undefined, { status: 400 })
      await noteEdge(db, edge.id, {})
      const from = { ...(after !== undefined && { after: Number(after) }), ...(nonce !== undefined && { nonce }) }
      const stream = await hub.open(edge.id, from, c.req.raw.signal, () => presence.left(edge.id))
      if (stream === undefined) throw new RegistryError('RANGE_INVALID', 'The feed has not come that far: this origin was set back.')
      return new Response(stream, { headers: { 'Content-Type': 'application/jose-seq', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' } })
    })
    .post(MESH.tokens, async (c) => {
      const edge = await callers.edge(c.req.raw)
      const { username, password, scopes, client } = await readBody(c.req.raw, tokenRequest)
      // One client of one edge counts by itself, so that nobody closes an edge to everybody else. Where the edge does not know its
      // clients' addresses, one account does.
      const account = await logins.login(username, password, `edge:${edge.id}/${client ?? username}`)
      const { token, expiresIn } = await issuer.issue(account, await grantedAccess(account.principal, scopes, knowledge))
      const signed = await documents.principal(account.principal.id)
      if (signed === undefined) throw new RegistryError('UNAUTHORIZED', 'This account was deleted just now.')
      const answer: TokenAnswer = { token, expiresIn, principal: signed }
      return c.json(answer, 200, { 'Cache-Control': 'no-store' })
    })
    .post(MESH.upstreamTokens, async (c) => {
      await callers.edge(c.req.raw)
      const { project, scope } = await readBody(c.req.raw, upstreamTokenRequest)
      return c.json(await upstreamTokens.get(project, scope), 200, { 'Cache-Control': 'no-store' })
    })
    .post(MESH.pulls, async (c) => {
      const edge = await callers.edge(c.req.raw)
      await takeSpooledPulls(db, edge.id, await readBody(c.req.raw, pullBatch, PULL_BATCH_BYTES))
      return c.body(null, 204)
    })
    .post(MESH.report, async (c) => {
      const edge = await callers.edge(c.req.raw)
      const { version, cursor, url, ...stats } = await readBody(c.req.raw, edgeReport)
      await noteEdge(db, edge.id, { version, cursor, stats, url })
      const upstreams = budgets.exchange(stats.upstreams ?? [])
      return upstreams.length === 0 ? c.body(null, 204) : c.json({ upstreams } satisfies ReportAnswer, 200)
    })
}

function document(jws: string | undefined): Response {
  if (jws === undefined) throw new RegistryError('NAME_UNKNOWN', 'There is no such document.')
  return new Response(jws, { headers: JOSE })
}
