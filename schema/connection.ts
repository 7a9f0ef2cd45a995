import type { Client } from '@libsql/client'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
// The whole driver loads what talks to a server, too.
import { drizzle } from 'drizzle-orm/libsql/sqlite3'
import { LRUCache } from 'lru-cache'
import type { Link } from './audit/chain.ts'
import { NAMES_LIMIT } from './limits.ts'

/** What statements run on: the database for reading, or the transaction of a write. */
export class Connection {
  readonly sql: LibSQLDatabase
  readonly #prepared = new Map<(sql: LibSQLDatabase) => unknown, unknown>()

  constructor(client: Pick<Client, 'execute'>) {
    this.sql = drizzle({ client: client as Client, casing: 'snake_case' })
  }

  /** The statements that `build` makes, made once: building a query costs more than running it. `build` must be a constant. */
  prepared<T>(build: (sql: LibSQLDatabase) => T): T {
    if (!this.#prepared.has(build)) this.#prepared.set(build, build(this.sql))
    return this.#prepared.get(build) as T
  }
}

/** A write's connection: everything on it belongs to the transaction, and so do the changes it tells of. */
export class WriteConnection extends Connection {
  /** The last sequence number given in this transaction. */
  lastChange = 0
  /** Whether this transaction made a job that can be taken up. */
  hasJobs = false
  /** The end of the audit log, as it was when this process last wrote to it; whoever writes behind it finds out whether it still is. */
  auditHead: Link | undefined
  /** What users and robots are called: their names and ids stay together for ever, once they are committed. */
  readonly names = new LRUCache<string, string>({ max: NAMES_LIMIT })
}
