import type { Clock } from '../../registry/clock.ts'
import { dropOldest } from '../../registry/oldest.ts'
import type { Edge } from '../../schema/edges.ts'
import type { FeedHub } from './feed-hub.ts'
import { HEARD_MS } from './limits.ts'

/** More edges than a site has. */
const REMEMBERED = 10_000

/** Which edges are there now. */
export class EdgePresence {
  readonly #hub: Pick<FeedHub, 'following'>
  readonly #clock: Pick<Clock, 'now'>
  /** When an edge's last feed here ended. Oldest first. */
  readonly #left = new Map<string, number>()

  constructor(hub: Pick<FeedHub, 'following'>, clock: Pick<Clock, 'now'>) {
    this.#hub = hub
    this.#clock = clock
  }

  /** A feed of this edge has ended here. */
  left(edge: string): void {
    this.#left.delete(edge)
    this.#left.set(edge, this.#clock.now())
    dropOldest(this.#left, REMEMBERED)
  }

  /** It follows our feed; or it does so at another process of this origin, and was heard of a moment ago. */
  status({ id, status, lastSeenAt }: Pick<Edge, 'id' | 'status' | 'lastSeenAt'>): 'connected' | 'disconnected' | 'revoked' {
    if (status === 'revoked') return 'revoked'
    if (this.#hub.following(id) > 0) return 'connected'
    const seen = lastSeenAt ?? Number.NEGATIVE_INFINITY
    const heard = seen > (this.#left.get(id) ?? Number.NEGATIVE_INFINITY) && this.#clock.now() - seen < HEARD_MS
    return heard ? 'connected' : 'disconnected'
  }
}
