import type { Caller } from '../../mesh/caller.ts'
import type { KnownEdge } from '../../mesh/documents.ts'
import { followsRedirects, nearestOf, ticketAccess } from '../../mesh/nearest.ts'
import { addressAt, towards } from '../../mesh/towards.ts'
import type { Clock } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import type { BlobLocation, Registry } from '../../registry/registry.ts'
import type { Descriptor } from '../../registry/spec/descriptors.ts'
import type { Digest } from '../../registry/spec/digests.ts'
import type { RepositoryName } from '../../registry/spec/names.ts'
import type { Places } from '../../runtime/places.ts'
import type { Database } from '../../schema/database.ts'
import type { Edge } from '../../schema/edges.ts'
import type { Addresses } from '../identity/addresses.ts'
import type { Facts } from '../identity/facts.ts'
import type { Issuer } from '../identity/issuer.ts'
import { allEdges } from '../mesh/all-edges.ts'
import type { EdgePresence } from '../mesh/edge-presence.ts'
import { EDGES_KNOWN_MS, EDGES_LIMIT } from './limits.ts'

export interface NearestOptions {
  readonly places: Places
  readonly db: Database
  readonly presence: Pick<EdgePresence, 'takes'>
  readonly issuer: Pick<Issuer, 'issue'>
  readonly facts: Pick<Facts, 'account'>
  readonly addresses: Addresses
  readonly clock: Clock
  readonly log: Log
}

/** Sends clients that go where they are sent to an edge near them, for blobs: to one that is there now, with a ticket for that blob alone. */
export class Nearest {
  readonly #options: NearestOptions
  #known: { readonly until: number; readonly edges: Promise<readonly Edge[]> } | undefined

  constructor(options: NearestOptions) {
    this.#options = options
  }

  /** The same registry for this request; its blobs may be elsewhere. To be put behind the gate. */
  towards(registry: Registry, caller: Caller, request: Request): Registry {
    const place = request.method === 'GET' ? this.#placeOf(request) : undefined
    if (place === undefined) return registry
    return towards(registry, async (name, blob) => {
      const edge = await this.#edgeFor(place, blob.digest)
      return edge && (await this.#address(edge, name, blob, caller))
    })
  }

  #placeOf(request: Request): string | undefined {
    const { places, addresses } = this.#options
    const { headers } = request
    if (!followsRedirects(headers.get('User-Agent')) || /^atoll-edge /i.test(headers.get('Authorization') ?? '')) return undefined
    return places.of(headers, addresses.of(request), addresses.believed(request))
  }

  async #edgeFor(place: string, digest: Digest): Promise<Pick<KnownEdge, 'url'> | undefined> {
    try {
      const edges = await this.#edges()
      const { presence } = this.#options
      return nearestOf(
        edges.filter((edge) => presence.takes(edge)),
        place,
        digest,
      )
    } catch (error) {
      this.#options.log.warn({ err: error }, 'Which edges there are cannot be said now; blobs are served from here.')
      return undefined
    }
  }

  async #address(edge: Pick<KnownEdge, 'url'>, name: RepositoryName, blob: Descriptor, { principal }: Caller): Promise<BlobLocation> {
    const { issuer, facts } = this.#options
    // For somebody without an account it is a ticket for anybody: only what is public opens to it.
    const { token, issuedAt, expiresIn } = await issuer.issue(await facts.account(principal.id), [ticketAccess(name, blob.digest)])
    return { size: blob.size, location: addressAt(edge, name, blob, token), expires: new Date(issuedAt + expiresIn * 1000) }
  }

  /** As of a moment ago. */
  async #edges(): Promise<readonly Edge[]> {
    const now = this.#options.clock.now()
    if (this.#known === undefined || now >= this.#known.until || now < this.#known.until - EDGES_KNOWN_MS) {
      const edges = this.#read()
      const known = { until: now + EDGES_KNOWN_MS, edges }
      this.#known = known
      edges.catch(() => {
        if (this.#known === known) this.#known = undefined
      })
    }
    return await this.#known.edges
  }

  async #read(): Promise<readonly Edge[]> {
    const edges: Edge[] = []
    for await (const edge of allEdges(this.#options.db)) {
      edges.push(edge)
      if (edges.length === EDGES_LIMIT) break
    }
    return edges
  }
}
