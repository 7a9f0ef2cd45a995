import type { BlobStore } from '../registry/blob-store.ts'
import { type Clock, steady } from '../registry/clock.ts'
import type { Log } from '../registry/log.ts'
import { headOfChanges } from '../schema/changes.ts'
import type { Database } from '../schema/database.ts'
import { listWorkerPools } from '../schema/worker-pools.ts'
import { POOL_SILENT_MS } from './api/limits.ts'
import type { ComponentHealth, Health } from './services.ts'

/** How long one part may take to say that it is well, in milliseconds. */
const ANSWER_MS = 3_000
/** What was well is not tried again for so long: somebody looks every second, and to try is to write. */
const WELL_MS = 5_000

export interface HealthOptions {
  readonly db: Database
  readonly blobs: BlobStore
  readonly clock: Clock
  readonly log: Log
  readonly newId: () => string
}

/** A part that is down: what to do about it. */
class NotThere extends Error {
  override readonly name = 'NotThere'
}

/** Asks each part of a site whether it works, by using it. The names are Harbor's; `redis` stands for the queue and the cache, which are in the database. */
export class HealthCheck {
  readonly #options: HealthOptions
  readonly #startedAt: number
  readonly #wellUntil = new Map<string, number>()
  readonly #trying = new Map<string, Promise<void>>()

  constructor(options: HealthOptions) {
    this.#options = options
    this.#startedAt = steady(options.clock)
  }

  async health(): Promise<Health> {
    const parts = await Promise.all([
      this.#check(['core', 'portal'], async () => undefined),
      this.#check(['database', 'redis'], () => this.#database()),
      this.#check(['registry', 'registryctl'], () => this.#store()),
      this.#check(['jobservice'], () => this.#jobs()),
    ])
    const components = parts.flat()
    return {
      healthy: components.every(({ healthy }) => healthy),
      // Who does the jobs is somebody else's matter: images come and go without him.
      ready: components.every(({ name, healthy }) => healthy || name === 'jobservice'),
      components,
    }
  }

  /** A transaction with nothing in it waits for the lock, as every push does. A standby's database is well, too, though it takes nobody's writes. */
  async #database(): Promise<void> {
    const { db } = this.#options
    await headOfChanges(db)
    await db.writeLocal(async () => undefined)
  }

  /** A store that can be read and not written takes no push. */
  async #store(): Promise<void> {
    const { blobs, newId } = this.#options
    const draft = blobs.draft(`health-${newId()}`)
    const writer = await draft.writer({ offset: 0, expected: 1 })
    await writer.write(Uint8Array.of(1))
    await writer.close()
    await draft.discard()
  }

  /** Whoever does jobs says so all the time. One that starts with this process may still be about to. */
  async #jobs(): Promise<void> {
    const { db, clock } = this.#options
    if (steady(clock) - this.#startedAt < POOL_SILENT_MS) return
    if ((await listWorkerPools(db, clock.now() - POOL_SILENT_MS)).length > 0) return
    throw new NotThere(
      `nobody who does jobs was heard of for ${POOL_SILENT_MS / 1000} seconds: start \`atoll serve --role control-plane\`, or an origin with control_plane.enabled`,
    )
  }

  async #check(names: readonly [string, ...string[]], work: () => Promise<void>): Promise<ComponentHealth[]> {
    const { log } = this.#options
    try {
      await this.#once(names[0], work)
      return names.map((name) => ({ name, healthy: true }))
    } catch (error) {
      log.warn({ err: error, components: names }, 'A part of this site is not well.')
      const why = error instanceof NotThere ? error.message : 'it does not answer; the log says why'
      return names.map((name) => ({ name, healthy: false, error: `${name}: ${why}.` }))
    }
  }

  /** Those who ask at the same time share one try. */
  async #once(part: string, work: () => Promise<void>): Promise<void> {
    const { clock } = this.#options
    if (steady(clock) < (this.#wellUntil.get(part) ?? Number.NEGATIVE_INFINITY)) return
    const trying = this.#trying.get(part) ?? inTime(work()).finally(() => this.#trying.delete(part))
    this.#trying.set(part, trying)
    await trying
    this.#wellUntil.set(part, steady(clock) + WELL_MS)
  }
}

async function inTime(work: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`no answer in ${ANSWER_MS} ms`)), ANSWER_MS)
  try {
    await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
