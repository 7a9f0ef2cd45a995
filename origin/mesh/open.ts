import type { Hono } from 'hono'
import type { FeedSites } from '../../mesh/feed.ts'
import type { Knowledge } from '../../mesh/gate.ts'
import type { Clock } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import type { Database } from '../../schema/database.ts'
import { listProjects } from '../../schema/projects.ts'
import type { FactSource } from '../identity/accounts.ts'
import type { Callers } from '../identity/callers.ts'
import type { Facts } from '../identity/facts.ts'
import type { Issuer } from '../identity/issuer.ts'
import type { KeyRing } from '../identity/key-ring.ts'
import type { Logins } from '../identity/logins.ts'
import type { FetchFor } from '../proxy-caches.ts'
import type { Secrets } from '../services.ts'
import { allEdges } from './all-edges.ts'
import { Documents } from './documents.ts'
import { EdgePresence } from './edge-presence.ts'
import type { Lookups } from './entries.ts'
import { FeedHub } from './feed-hub.ts'
import { PROJECTS_PAGE } from './limits.ts'
import { meshRoutes } from './mesh-routes.ts'
import type { ReportedEdge } from './reported-edge.ts'
import { UpstreamTokens } from './upstream-tokens.ts'

export interface MeshOptions {
  readonly db: Database
  readonly log: Log
  readonly clock: Clock
  readonly newId: () => string
  readonly secrets: Secrets
  readonly fetchFor: FetchFor
  readonly source: FactSource
  readonly facts: Facts
  readonly keys: KeyRing
  readonly callers: Callers
  readonly logins: Logins
  readonly issuer: Issuer
  readonly knowledge: Knowledge
  /** Where the two sites of a pair are; undefined: this origin stands alone. */
  readonly sites: () => FeedSites | undefined
}

/** What an origin is to its edges. */
export interface Mesh {
  readonly routes: Hono
  readonly presence: EdgePresence
  edgesByStatus(): Promise<Readonly<Record<string, number>>>
  /** What each edge that is not revoked has reported last, and whether it is connected. */
  edgeReports(): AsyncIterable<ReportedEdge>
  /** Ends all feeds that are open now. */
  interrupt(): void
  /** Ends all feeds. */
  close(): void
}

export function openMesh(options: MeshOptions): Mesh {
  const { db, log, clock, source, keys, secrets, fetchFor } = options
  const signing = () => keys.signing
  const hub = new FeedHub({ db, clock, log, signing, lookups: lookups(options), sites: options.sites })
  const presence = new EdgePresence(hub, clock)
  const documents = new Documents({ db, source, clock, signing })
  const upstreamTokens = new UpstreamTokens({ db, secrets, fetchFor, clock })
  return {
    routes: meshRoutes({ ...options, documents, hub, presence, upstreamTokens, now: () => clock.now() }),
    presence,
    edgesByStatus: async () => {
      const counts = { connected: 0, disconnected: 0, draining: 0 }
      for await (const edge of allEdges(db)) {
        const status = presence.status(edge)
        if (status !== 'revoked') counts[edge.drainedAt === null ? status : 'draining']++
      }
      return counts
    },
    edgeReports: async function* () {
      for await (const edge of allEdges(db)) {
        const status = presence.status(edge)
        if (status === 'revoked') continue
        const { name, region, lastSeenAt, stats } = edge
        yield { name, region, connected: status === 'connected', lastSeenAt, stats }
      }
    },
    interrupt: () => hub.interrupt(),
    close: () => hub.close(),
  }
}

function lookups({ db, source, keys }: Pick<MeshOptions, 'db' | 'source' | 'keys'>): Lookups {
  return {
    keys: async () => {
      await keys.reload()
      return keys.jwks.keys
    },
    projectName: async (id) => (await source.project(id))?.name,
    async projectsOfEndpoint(endpoint) {
      const found: { id: number; name: string }[] = []
      for (let page = 1; ; page++) {
        const { items, total } = await listProjects(db, { proxy: true }, { page, pageSize: PROJECTS_PAGE })
        found.push(...items.filter((project) => project.endpointId === endpoint))
        if (items.length === 0 || page * PROJECTS_PAGE >= total) return found
      }
    },
  }
}
