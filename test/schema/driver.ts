import { createClient } from '@libsql/client/sqlite3'
import { Connection } from '../../schema/connection.ts'

/** Every statement that went to a database of this process, with who sent it first. */
export interface Statements {
  readonly seen: ReadonlyMap<string, string>
  /** What is sent from now on is `sender`'s. */
  by(sender: string): void
  stop(): void
}

type Executing = { execute(this: unknown, statement: string | { readonly sql: string }, ...rest: unknown[]): unknown }

/**
 * Begins to listen where every client and every transaction of the driver pass: nothing that the product sends, by whatever connection, goes by.
 * Texts that differ only in how long a list of values is are one.
 */
export async function recordStatements(): Promise<Statements> {
  const seen = new Map<string, string>()
  let sender = ''
  const client = createClient({ url: 'file::memory:' })
  const transaction = await client.transaction('read')
  const owners = [client, transaction].map((each) => Object.getPrototypeOf(each) as Executing)
  transaction.close()
  client.close()
  const note = (sql: string) => {
    const text = sql.replaceAll(/\bin \(\?(?:, \?)+\)/gi, 'in (?, ?)').trim()
    if (!seen.has(text)) seen.set(text, sender)
  }
  // What is prepared is known before it is sent, if it ever is.
  const { prepared } = Connection.prototype
  Connection.prototype.prepared = function (build) {
    const made = prepared.call(this, build)
    type Prepared = { readonly getQuery?: () => { readonly sql: string } }
    for (const each of [made as Prepared, ...Object.values(made as Record<string, Prepared | undefined>)]) {
      const sql = each?.getQuery?.().sql
      if (sql !== undefined) note(sql)
    }
    return made as ReturnType<typeof build>
  }
  const restore = owners.map((owner) => {
    const original = owner.execute
    owner.execute = function (statement, ...rest) {
      note(typeof statement === 'string' ? statement : statement.sql)
      return original.call(this, statement, ...rest)
    }
    return () => {
      owner.execute = original
    }
  })
  return {
    seen,
    by: (next) => {
      sender = next
    },
    stop: () => {
      Connection.prototype.prepared = prepared
      for (const undo of restore) undo()
    },
  }
}
