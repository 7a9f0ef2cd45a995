import type { Clock } from '../../registry/clock.ts'
import { Pace } from '../../registry/copy/pace.ts'
import type { Log } from '../../registry/log.ts'
import type { Database } from '../../schema/database.ts'
import { REPLICATE } from '../../schema/replication-jobs.ts'
import { runningTasks } from '../../schema/replication-tasks.ts'
import { SHARES_MS } from '../limits.ts'

export interface SpeedsOptions {
  readonly db: Database
  readonly clock: Clock
  readonly log: Log
  /** Who this process is among those that take jobs. */
  readonly owner: string
}

interface Shared {
  readonly pace: Pace
  bytesPerSecond: number
  users: number
  cancel: () => void
}

/**
 * The speeds of rules, each shared by all tasks of the rule in all processes. The tasks of this process share one pace, which is the
 * rule's speed times their part of all tasks that run: each task so gets the same, wherever it runs. The parts are looked at once a
 * second, so that the sum may be off for as long when tasks begin or end elsewhere.
 */
export class Speeds {
  readonly #options: SpeedsOptions
  readonly #shared = new Map<number, Shared>()

  constructor(options: SpeedsOptions) {
    this.#options = options
  }

  /** The pace to keep while a task of the rule runs; whoever took it gives it back. undefined: as fast as it goes. */
  async take(policyId: number, bytesPerSecond: number): Promise<{ readonly pace: Pace; release(): void } | undefined> {
    if (bytesPerSecond <= 0) return undefined
    const { clock } = this.#options
    let shared = this.#shared.get(policyId)
    if (shared === undefined) {
      shared = { pace: new Pace({ bytesPerSecond, clock }), bytesPerSecond, users: 0, cancel: () => undefined }
      this.#shared.set(policyId, shared)
    }
    const held = shared
    held.users++
    held.bytesPerSecond = bytesPerSecond
    let released = false
    const release = () => {
      if (released) return
      released = true
      held.users--
      if (held.users > 0) return
      held.cancel()
      this.#shared.delete(policyId)
    }
    try {
      await this.#divide(policyId, held)
    } catch (error) {
      release()
      throw error
    }
    if (held.users === 1) this.#later(policyId, held)
    return { pace: held.pace, release }
  }

  async #divide(policyId: number, shared: Shared): Promise<void> {
    const { db, owner } = this.#options
    const running = await runningTasks(db, REPLICATE, policyId)
    const all = [...running.values()].reduce((sum, count) => sum + count, 0)
    // Who has just lost its lease goes on a moment longer, and must not go faster for it.
    const mine = Math.max(1, running.get(owner) ?? 0)
    shared.pace.bytesPerSecond = shared.bytesPerSecond * (mine / Math.max(all, mine))
  }

  #later(policyId: number, shared: Shared): void {
    shared.cancel()
    if (shared.users === 0) return
    shared.cancel = this.#options.clock.after(SHARES_MS, () => {
      this.#divide(policyId, shared)
        .catch((error) => this.#options.log.warn({ err: error, policy: policyId }, 'It cannot be seen who shares the speed of a rule.'))
        .finally(() => this.#later(policyId, shared))
    })
  }
}
