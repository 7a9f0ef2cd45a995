import { type Clock, steady } from '../registry/clock.ts'
import type { Log } from '../registry/log.ts'
import type { Fetch } from '../registry/remote/index.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import { ORIGIN_LOOK_MS, RETRY_AFTER_S, SOURCE_AWAY_MS } from './limits.ts'
import type { Heard } from './mesh.ts'

export interface PatienceOptions {
  readonly mesh: Heard
  readonly clock: Clock
  readonly log: Log
}

/**
 * For one request to the origin: whoever waits for an origin that is heard waits on, however long that takes; once its feed is lost, and
 * nothing has moved for `ms` since, the wait is over. So a slow origin is waited for, and one that hangs is not.
 */
export class Patience {
  readonly #options: PatienceOptions & { readonly ms: number }
  readonly #over = new AbortController()
  #movedAt: number
  /** Since when it is known that the origin is not heard. */
  #awaySince: number | undefined
  #stop: () => void

  constructor(options: PatienceOptions & { readonly ms: number }) {
    this.#options = options
    this.#movedAt = steady(options.clock)
    this.#note()
    this.#stop = this.#later()
  }

  /** Aborted when the wait is over. */
  get signal(): AbortSignal {
    return this.#over.signal
  }

  /** A byte went one way or the other. */
  moved(): void {
    this.#movedAt = steady(this.#options.clock)
  }

  end(): void {
    this.#stop()
    this.#stop = ENDED
  }

  #later(): () => void {
    return this.#options.clock.after(ORIGIN_LOOK_MS, () => void this.#look())
  }

  async #look(): Promise<void> {
    const { mesh, clock, ms, log } = this.#options
    try {
      await mesh.settle()
    } catch (error) {
      log.debug({ error }, 'whether the origin is heard is as it was when this was last known')
    }
    if (this.#stop === ENDED) return
    this.#note()
    if (this.#awaySince !== undefined && steady(clock) - Math.max(this.#awaySince, this.#movedAt) >= ms) {
      this.#over.abort(new DOMException('The origin is not heard any more.', 'TimeoutError'))
    } else this.#stop = this.#later()
  }

  #note(): void {
    const { mesh, clock } = this.#options
    this.#awaySince = mesh.status().state === 'connected' ? undefined : (this.#awaySince ?? steady(clock))
  }
}

const ENDED = () => {}

/** A fetch for the origin as a source: while it is away each request tries for a moment, so that an origin that is back is found by the first. */
export function whileHeard(fetch: Fetch, options: PatienceOptions): Fetch {
  return async (url, init) => {
    const patience = new Patience({ ...options, ms: SOURCE_AWAY_MS })
    try {
      return await fetch(url, { ...init, signal: init.signal ? AbortSignal.any([init.signal, patience.signal]) : patience.signal })
    } catch (cause) {
      init.signal?.throwIfAborted()
      if (!patience.signal.aborted) throw cause
      throw new RegistryError(
        'UNAVAILABLE',
        'The origin of this edge cannot be reached, and this is not here yet. Try again in a moment. What this edge holds it serves.',
        undefined,
        { cause, headers: { 'Retry-After': String(RETRY_AFTER_S) } },
      )
    } finally {
      patience.end()
    }
  }
}
