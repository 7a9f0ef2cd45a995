import type { Clock } from '../../registry/clock.ts'
import { Pace } from '../../registry/copy/pace.ts'
import type { Log } from '../../registry/log.ts'
import type { Database } from '../../schema/database.ts'
import { otherEnd, type ReplicationPolicy } from '../../schema/replication.ts'
import { type EndpointUse, useOfEndpoint } from '../../schema/speeds.ts'
import { SHARES_MS } from '../limits.ts'

export interface SpeedsOptions {
  readonly db: Database
  readonly clock: Clock
  readonly log: Log
  /** Who this process is among those that take jobs. */
  readonly owner: string
}

type Rule = Pick<ReplicationPolicy, 'id' | 'speed' | 'sourceEndpointId' | 'destinationEndpointId'>

interface Shared {
  readonly rule: Rule
  readonly pace: Pace
  users: number
  cancel: () => void
}

/**
 * The speeds of endpoints and of rules. An endpoint's is divided evenly among the rules that use it, and what one of them does not want, because its
 * own speed is lower, is the others'. A rule's is divided evenly among its tasks, in whatever processes these run. The tasks of a rule in this
 * process share one pace. Who runs is looked at once a second, so that the sum may be off for as long when tasks begin or end elsewhere.
 */
export class Speeds {
  readonly #options: SpeedsOptions
  readonly #shared = new Map<number, Shared>()

  constructor(options: SpeedsOptions) {
    this.#options = options
  }

  /** The pace to keep while a task of the rule runs; whoever took it gives it back. undefined: as fast as it goes. */
  async take(rule: Rule): Promise<{ readonly pace: Pace; release(): void } | undefined> {
    const { db, clock } = this.#options
    const speed = this.#speedOf(rule, await useOfEndpoint(db, otherEnd(rule)))
    const known = this.#shared.get(rule.id)
    if (known === undefined && speed === Number.POSITIVE_INFINITY) return undefined
    const shared = known ?? { rule, pace: new Pace({ bytesPerSecond: speed, clock }), users: 0, cancel: () => undefined }
    this.#shared.set(rule.id, shared)
    shared.pace.bytesPerSecond = speed
    shared.users++
    if (shared.users === 1) this.#later(shared)
    let released = false
    const release = () => {
      if (released) return
      released = true
      shared.users--
      if (shared.users > 0) return
      shared.cancel()
      this.#shared.delete(rule.id)
    }
    return { pace: shared.pace, release }
  }

  /** Bytes a second for the tasks of a rule that run in this process. */
  #speedOf(rule: Rule, use: EndpointUse): number {
    const tasks = use.rules.find(({ policyId }) => policyId === rule.id)?.tasks ?? new Map<string, number>()
    const all = [...tasks.values()].reduce((sum, count) => sum + count, 0)
    // Who has just lost its lease goes on a moment longer, and must not go faster for it.
    const mine = Math.max(1, tasks.get(this.#options.owner) ?? 0)
    return speedOfRule(use, rule) * 1024 * (mine / Math.max(all, mine))
  }

  #later(shared: Shared): void {
    const { db, clock, log } = this.#options
    shared.cancel()
    if (shared.users === 0) return
    shared.cancel = clock.after(SHARES_MS, () => {
      useOfEndpoint(db, otherEnd(shared.rule))
        .then((use) => {
          shared.pace.bytesPerSecond = this.#speedOf(shared.rule, use)
        })
        .catch((error) => log.warn({ err: error, policy: shared.rule.id }, 'It cannot be seen who shares the speed of a rule.'))
        .finally(() => this.#later(shared))
    })
  }
}

/** What a rule may take of its endpoint, over all processes, in KiB a second. */
export function speedOfRule({ speed, rules }: EndpointUse, { id, speed: own }: Pick<ReplicationPolicy, 'id' | 'speed'>): number {
  // One that has just lost its leases still goes on.
  const wants = new Map([[id, limit(own)], ...rules.map((rule) => [rule.policyId, limit(rule.speed)] as const)])
  // Those that want least first: each takes no more than an even part of what is left, and leaves the rest to those behind it.
  const inOrder = [...wants].sort(([, one], [, other]) => (one === other ? 0 : one < other ? -1 : 1))
  let left = limit(speed)
  let behind = inOrder.length
  for (const [rule, most] of inOrder) {
    const part = Math.min(most, left / behind--)
    if (rule === id) return part
    // What has no end has none afterwards.
    if (Number.isFinite(left)) left -= part
  }
  return left
}

function limit(kibibytes: number): number {
  return kibibytes > 0 ? kibibytes : Number.POSITIVE_INFINITY
}
