import { LRUCache } from 'lru-cache'
import type { Caller } from '../../mesh/caller.ts'
import type { KnownEdge } from '../../mesh/documents.ts'
import { followsRedirects, nearestOf, TICKET_PARAMETER, ticketAccess } from '../../mesh/nearest.ts'
import { addressAt, towards } from '../../mesh/towards.ts'
import type { Clock } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import type { BlobLocation, Registry } from '../../registry/registry.ts'
import type { Fetch } from '../../registry/remote/index.ts'
import type { Descriptor } from '../../registry/spec/descriptors.ts'
import type { RepositoryName } from '../../registry/spec/names.ts'
import { readText } from '../bodies.ts'
import { HEALTH_ANSWER_MS, HEALTH_BYTES, HEALTH_FOR_MS, NEIGHBOURS_IN_MEMORY } from '../limits.ts'
import type { Mesh } from '../mesh.ts'
import type { Tokens } from '../tokens.ts'

export interface NearestEdgeOptions {
  readonly mesh: Pick<Mesh, 'facts' | 'origin'>
  readonly tokens: Pick<Tokens, 'signTicket'>
  readonly fetch: Fetch
  readonly clock: Clock
  readonly log: Log
}

/** At an edge that answers to a global name: sends clients that follow to the edge of their place, for blobs, if that one says that it is well. */
export class NearestEdge {
  readonly #options: NearestEdgeOptions
  readonly #health = new LRUCache<string, { readonly well: boolean; readonly until: number }>({ max: NEIGHBOURS_IN_MEMORY })

  constructor(options: NearestEdgeOptions) {
    this.#options = options
  }

  /** The same registry for this request; its blobs may be elsewhere. To be put behind the gate. */
  towards(registry: Registry, caller: Caller, place: string, request: Request): Registry {
    // Whoever was sent here goes no further, whatever the settings of two edges say of one another.
    const sent = request.url.includes(`${TICKET_PARAMETER}=`)
    if (sent || request.method !== 'GET' || !followsRedirects(request.headers.get('User-Agent'))) return registry
    return towards(registry, (name, blob) => this.#locate(name, blob, caller, place))
  }

  async #locate(name: RepositoryName, blob: Descriptor, { principal, credentialVersion }: Caller, place: string): Promise<BlobLocation | undefined> {
    const { mesh, tokens, log } = this.#options
    try {
      const { id, name: ownName, region } = mesh.origin.member.enrolment
      // Who is there already is sent nowhere.
      if (place === ownName || place === region) return undefined
      const { edges = [] } = (await mesh.facts.edges()) ?? {}
      const edge = nearestOf(
        edges.filter(({ draining }) => !draining),
        place,
        blob.digest,
      )
      if (edge === undefined || edge.id === id || !(await this.#well(edge))) return undefined
      const subject = { subject: principal.id, ...(credentialVersion !== undefined && { credentialVersion }) }
      const { token, issuedAt, expiresIn } = await tokens.signTicket({ ...subject, access: [ticketAccess(name, blob.digest)] }, edge.id)
      return { size: blob.size, location: addressAt(edge, name, blob, token), expires: new Date(issuedAt + expiresIn * 1000) }
    } catch (error) {
      log.warn({ error, place }, 'which edge is near cannot be said now; a blob is served from here')
      return undefined
    }
  }

  /** Whether it follows its feed, as it said a moment ago. */
  async #well({ id, url }: KnownEdge): Promise<boolean> {
    const { clock, fetch } = this.#options
    const known = this.#health.get(id)
    if (known !== undefined && clock.now() < known.until) return known.well
    let well = false
    try {
      const answer = await fetch(new URL('/healthz', url), { signal: AbortSignal.timeout(HEALTH_ANSWER_MS), redirect: 'manual' })
      well = isWell(answer.status, await readText(answer, HEALTH_BYTES))
    } catch (error) {
      this.#options.log.info({ edge: id, error }, 'an edge does not say how it is; nobody is sent there for a while')
    }
    this.#health.set(id, { well, until: clock.now() + HEALTH_FOR_MS })
    return well
  }
}

function isWell(status: number, text: string): boolean {
  if (status !== 200) return false
  const health: unknown = JSON.parse(text)
  return (
    typeof health === 'object' && health !== null && 'connected' in health && health.connected === true && !('draining' in health && health.draining)
  )
}
