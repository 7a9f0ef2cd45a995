import type { Clock } from '../../registry/clock.ts'
import { RegistryError } from '../../registry/spec/errors.ts'

/** 0 is no limit, save for `waiting`. */
export interface TurnLimits {
  readonly max: number
  readonly perClient: number
  readonly perTenant: number
  readonly waiting: number
  /** Milliseconds that anybody waits. */
  readonly waitMs: number
}

export interface Asking {
  readonly client: string
  readonly tenant: string
}

interface Waiter extends Asking {
  readonly admit: () => void
  readonly refuse: (error: unknown) => void
}

/**
 * Who may begin a transfer. Whoever finds no room waits; room goes to one client after the other, whatever each of them wants. When
 * too many wait, the client that waits with the most loses its last, so that nobody keeps others from waiting.
 */
export class Turns {
  readonly #limits: TurnLimits
  readonly #clock: Clock
  readonly #clients = new Map<string, number>()
  readonly #tenants = new Map<string, number>()
  /** In the order of their turns; none is empty. */
  readonly #queues = new Map<string, Waiter[]>()
  #active = 0
  #waiting = 0

  constructor(limits: TurnLimits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
  }

  get active(): number {
    return this.#active
  }

  get waiting(): number {
    return this.#waiting
  }

  /** Resolves when it is its turn, with what gives the place back. @throws RegistryError UNAVAILABLE; the signal's reason, when its client left */
  async take(asking: Asking, signal?: () => AbortSignal): Promise<() => void> {
    if (!this.#fits(asking)) await this.#wait(asking, signal?.())
    else this.#count(asking, 1)
    let held = true
    return () => {
      if (!held) return
      held = false
      this.#count(asking, -1)
      this.#next()
    }
  }

  #fits({ client, tenant }: Asking): boolean {
    const { max, perClient, perTenant } = this.#limits
    const room = (limit: number, taken: number) => limit === 0 || taken < limit
    return room(max, this.#active) && room(perClient, this.#clients.get(client) ?? 0) && room(perTenant, this.#tenants.get(tenant) ?? 0)
  }

  #count({ client, tenant }: Asking, by: 1 | -1): void {
    this.#active += by
    add(this.#clients, client, by)
    add(this.#tenants, tenant, by)
  }

  async #wait(asking: Asking, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    this.#makeRoom(asking.client)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiter: Waiter = { ...asking, admit: resolve, refuse: reject }
    const queue = this.#queues.get(asking.client) ?? []
    queue.push(waiter)
    this.#queues.set(asking.client, queue)
    this.#waiting++
    const stop = this.#clock.after(this.#limits.waitMs, () => this.#refuse(waiter, full()))
    const left = () => this.#refuse(waiter, signal?.reason)
    signal?.addEventListener('abort', left, { once: true })
    try {
      await promise
    } finally {
      stop()
      signal?.removeEventListener('abort', left)
    }
  }

  #makeRoom(client: string): void {
    const { waiting } = this.#limits
    if (this.#waiting < waiting) return
    let longest: Waiter[] = []
    for (const queue of this.#queues.values()) if (queue.length > longest.length) longest = queue
    const last = longest.at(-1)
    if (last === undefined || longest.length <= (this.#queues.get(client)?.length ?? 0) + 1) throw full()
    this.#refuse(last, full())
  }

  #refuse(waiter: Waiter, error: unknown): void {
    if (this.#drop(waiter)) waiter.refuse(error)
  }

  /** Whether it still waited. */
  #drop(waiter: Waiter): boolean {
    const queue = this.#queues.get(waiter.client)
    const at = queue?.indexOf(waiter) ?? -1
    if (queue === undefined || at < 0) return false
    queue.splice(at, 1)
    if (queue.length === 0) this.#queues.delete(waiter.client)
    this.#waiting--
    return true
  }

  /** Nobody who waits fits when this returns: so whoever comes and fits overtakes nobody. */
  #next(): void {
    for (;;) {
      const waiter = this.#firstThatFits()
      if (waiter === undefined) return
      this.#drop(waiter)
      const rest = this.#queues.get(waiter.client)
      if (rest) {
        this.#queues.delete(waiter.client)
        this.#queues.set(waiter.client, rest)
      }
      this.#count(waiter, 1)
      waiter.admit()
    }
  }

  #firstThatFits(): Waiter | undefined {
    const { max } = this.#limits
    if (max !== 0 && this.#active >= max) return undefined
    for (const queue of this.#queues.values()) {
      const waiter = queue.find((one) => this.#fits(one))
      if (waiter) return waiter
    }
    return undefined
  }
}

const RETRY_AFTER_S = 5

function full(): RegistryError {
  return new RegistryError('UNAVAILABLE', 'Too much is being transferred here at the moment. Try again in some seconds.', undefined, {
    headers: { 'Retry-After': String(RETRY_AFTER_S) },
  })
}

function add(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by
  if (count === 0) counts.delete(key)
  else counts.set(key, count)
}
