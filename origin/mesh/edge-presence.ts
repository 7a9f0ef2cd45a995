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

  /**
   * It was heard of a moment ago, and follows our feed or, as far as is known here, that of another process of this origin. A feed that is
   * open says little by itself: what is written to a process that stands still waits in the kernel for long.
   */
  status({ id, status, lastSeenAt }: Pick<Edge, 'id' | 'status' | 'lastSeenAt'>): 'connected' | 'disconnected' | 'revoked' {
    if (status === 'revoked') return 'revoked'
    if (lastSeenAt === null || this.#clock.now() - lastSeenAt >= HEARD_MS) return 'disconnected'
    const follows = this.#hub.following(id) > 0 || lastSeenAt > (this.#left.get(id) ?? Number.NEGATIVE_INFINITY)
    return follows ? 'connected' : 'disconnected'
  }

  /** Whether clients may be sent there. */
  takes(edge: Edge): boolean {
    return edge.drainedAt === null && edge.stats.unwell === undefined && this.status(edge) === 'connected'
  }
}
