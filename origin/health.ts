import type { BlobStore } from '../registry/blob-store.ts'
import type { Log } from '../registry/log.ts'
import { headOfChanges } from '../schema/changes.ts'
import type { Database } from '../schema/database.ts'
import type { ComponentHealth, Health } from './services.ts'

/** How long one part may take to say that it is well, in milliseconds. */
const ANSWER_MS = 3_000

export interface HealthOptions {
  readonly db: Database
  readonly blobs: BlobStore
  readonly log: Log
}

/** Asks each part whether it works, by using it. The names are Harbor's; `redis` stands for the queue and the cache, which are in the database. */
export async function healthOf({ db, blobs, log }: HealthOptions): Promise<Health> {
  const check = async (names: readonly string[], work: () => Promise<unknown>): Promise<ComponentHealth[]> => {
    try {
      await inTime(work())
      return names.map((name) => ({ name, healthy: true }))
    } catch (error) {
      log.warn({ err: error, components: names }, 'A part of this site is not well.')
      return names.map((name) => ({ name, healthy: false, error: `${name} does not answer; the log says why.` }))
    }
  }
  const parts = await Promise.all([
    check(['core', 'portal'], async () => undefined),
    check(['database', 'redis', 'jobservice'], () => headOfChanges(db)),
    check(['registry', 'registryctl'], () => blobs.list({ limit: 1 })),
  ])
  const components = parts.flat()
  return { healthy: components.every(({ healthy }) => healthy), components }
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`no answer in ${ANSWER_MS} ms`)), ANSWER_MS)
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
