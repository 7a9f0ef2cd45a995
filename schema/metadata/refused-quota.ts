import { LRUCache } from 'lru-cache'
import { RegistryError } from '../../registry/spec/errors.ts'
import { splitProject } from '../../registry/spec/names.ts'
import { appendAudit } from '../audit/chain.ts'
import { QUOTA_EXCEEDED } from '../audit/events.ts'
import type { Database } from '../database.ts'
import { findProjectByName } from '../projects.ts'
import { type Pushed, quotaEntry } from './quota.ts'

/** A project that is refused again and again is told of once in so many milliseconds. */
const ONCE_MS = 60_000
const PROJECTS = 1_000

/** Tells the audit log of pushes that a quota refused: the transaction that would have told of them is undone. */
export class RefusedByQuota {
  readonly #db: Database
  readonly #told = new LRUCache<string, number>({ max: PROJECTS })

  constructor(db: Database) {
    this.#db = db
  }

  /** Does the work. @throws what the work throws */
  async watch<T>(pushed: Pushed, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (isRefusal(error)) await this.#tell(pushed, error.message)
      throw error
    }
  }

  async #tell(pushed: Pushed, refusal: string): Promise<void> {
    const db = this.#db
    const name = splitProject(pushed.repository).project
    const now = db.clock.now()
    if (now - (this.#told.get(name) ?? Number.NEGATIVE_INFINITY) < ONCE_MS) return
    this.#told.set(name, now)
    const project = await findProjectByName(db, name)
    if (project === undefined) return
    const usage = { projectId: project.id, name, used: project.storageUsed, limit: project.storageLimit }
    const entry = quotaEntry(QUOTA_EXCEEDED, now, usage, { ...pushed, refusal })
    await db.write((connection) => appendAudit(connection, entry))
  }
}

function isRefusal(error: unknown): error is RegistryError {
  return (
    error instanceof RegistryError &&
    error.code === 'DENIED' &&
    typeof error.detail === 'object' &&
    error.detail !== null &&
    'allowed' in error.detail
  )
}
