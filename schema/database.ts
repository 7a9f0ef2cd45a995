import type { Client, Transaction } from '@libsql/client'
import { type Clock, pause, steady } from '../registry/clock.ts'
import type { Log } from '../registry/log.ts'
import type { RegistryError } from '../registry/spec/errors.ts'
import type { SiteId } from '../registry/versions/version.ts'
import { ChangeWatch } from './change-watch.ts'
import { Checkpoints } from './checkpoints.ts'
import { Connection } from './connection.ts'
import { isBusy, unavailable } from './errors.ts'
import { BUSY_PAUSE_LIMIT_MS, CHECKPOINT_PAGES, READ_WAIT_MS, WRITE_WAIT_MS, WRITER_CACHE_KIB } from './limits.ts'
import { migrate } from './migrate.ts'
import { markCommit } from './mirror/log.ts'
import { newSiteId, siteIdIn } from './site-id.ts'
import { type Commit, type Work, WriteQueue } from './write-queue.ts'

export interface DatabaseOptions {
  /** `file:data/atoll.db`, or a libSQL server: `libsql://…`, `https://…`, `http://…`. */
  readonly url: string
  readonly authToken?: string | undefined
  readonly clock: Clock
  readonly log?: Log | undefined
  /** What this site is called in what it tells others, if this is its first start; a random name when absent. */
  readonly site?: SiteId | undefined
  readonly random?: () => number
}

/** The metadata of one site. Everything else in this room takes it as its first argument. */
export interface Database {
  readonly clock: Clock
  /** Whether it is a file of this site's own, and not at a server. */
  readonly embedded: boolean
  /** This site's name in the feed and in the versions of its tags: made once, kept here. */
  readonly site: SiteId
  /** For reading what is committed. */
  readonly read: Connection
  /** A transaction, in the queue of all writes; durable when it resolves. For functions of this room only. @throws RegistryError UNAVAILABLE, and what `work` throws */
  write<T>(work: Work<T>): Promise<T>
  /** The same for what is of this site alone, and for the rows that a standby takes from its primary: the fence does not hold it up. For functions of this room only. */
  writeLocal<T>(work: Work<T>): Promise<T>
  /** From now on nothing else is written, nor said to be written, while `refusal` gives a reason. */
  fence(refusal: () => RegistryError | undefined): void
  /** Whether rows come from another site, which has seen to it that they go together: then references are not looked at one by one. */
  replica(is: boolean): void
  /** Calls the listener after each commit of this process that is logged for a standby, with its number in that log. What it returns ends that. */
  onMirrored(listener: (mark: number) => void): () => void
  /** Calls the listener after each commit of this process with what it holds. What it returns ends that. */
  onCommit(listener: (commit: Commit) => void): () => void
  /** Resolves with the feed's last sequence number once it is greater than `after`, whichever process wrote it. @throws the signal's reason */
  changesAvailable(after: number, signal?: AbortSignal): Promise<number>
  /** Refuses new writes, finishes those that wait, and closes. */
  close(): Promise<void>
}

/** Opens the database and brings its tables up to date. @throws RegistryError UNAVAILABLE when it cannot be had in time, TypeError for a database in memory */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { url, authToken, clock, log, site: chosen = newSiteId(), random = Math.random } = options
  if (url.includes(':memory:')) throw new TypeError('A database in memory cannot be shared by readers and writers; give a file or a server.')
  const config = { url, ...(authToken !== undefined && { authToken }) }
  // What talks to a server is loaded where there is one.
  const { createClient } = await (url.startsWith('file:') ? import('@libsql/client/sqlite3') : import('@libsql/client'))
  const reader = createClient({ ...config, concurrency: 8, timeout: READ_WAIT_MS })
  // The driver opens a second connection where a pool allows it. One writer, one connection, one set of pragmas.
  const writer = createClient({ ...config, concurrency: 1 })
  let site: SiteId
  try {
    site = await prepare(writer, clock, random, chosen)
  } catch (error) {
    reader.close()
    writer.close()
    throw error
  }
  const read = new Connection(reader)
  const watch = new ChangeWatch(read, clock)
  const checkpoints = await checkpointsOf(writer, log)
  const listeners = new Set<(commit: Commit) => void>()
  const mirrors = new Set<(mark: number) => void>()
  let fence: (() => RegistryError | undefined) | undefined
  let replica = false
  let mark: number | undefined
  const queue = new WriteQueue({
    client: writer,
    reopen: () => reopen(writer, !replica),
    clock,
    random,
    log,
    fence: () => fence?.(),
    finish: async (connection) => {
      mark = await markCommit(connection, clock.now())
    },
    onCommit: (commit) => {
      watch.reached(commit.lastChange)
      checkpoints?.committed(commit.rows)
      tellAll(listeners, commit, log)
      if (mark !== undefined) tellAll(mirrors, mark, log)
    },
  })
  return {
    clock,
    embedded: writer.protocol === 'file',
    site,
    read,
    write: (work) => queue.run(work),
    writeLocal: (work) => queue.run(work, true),
    fence: (refusal) => {
      fence = refusal
    },
    replica: (is) => {
      if (is === replica) return
      replica = is
      queue.reconnect()
    },
    onMirrored: (listener) => {
      mirrors.add(listener)
      return () => mirrors.delete(listener)
    },
    onCommit: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    changesAvailable: (after, signal) => watch.available(after, signal),
    close: async () => {
      await queue.close()
      await checkpoints?.close()
      watch.close()
      reader.close()
      writer.close()
    },
  }
}

function tellAll<T>(listeners: ReadonlySet<(told: T) => void>, told: T, log: Log | undefined): void {
  for (const listener of listeners) {
    try {
      listener(told)
    } catch (error) {
      // The commit stands, and whoever wrote must hear so.
      log?.error({ err: error }, 'a listener to commits failed')
    }
  }
}

async function prepare(writer: Client, clock: Clock, random: () => number, site: SiteId): Promise<SiteId> {
  const deadline = steady(clock) + WRITE_WAIT_MS
  for (let attempt = 0; ; attempt++) {
    let transaction: Transaction | undefined
    try {
      // As in the queue: what was refused stays unfinished on its connection.
      if (attempt > 0) await writer.reconnect()
      if (writer.protocol === 'file') await writer.execute('PRAGMA journal_mode = WAL')
      await configure(writer, true)
      transaction = await writer.transaction('write')
      await migrate(transaction)
      const known = await siteIdIn(transaction, site)
      await transaction.commit()
      return known
    } catch (error) {
      if (!isBusy(error)) throw error
      if (steady(clock) >= deadline) throw unavailable('The database is held by another process.', error)
      await pause(clock, random() * BUSY_PAUSE_LIMIT_MS)
    } finally {
      transaction?.close()
    }
  }
}

/** What SQLite keeps for a connection only. A server decides these for itself. */
async function configure(writer: Client, references: boolean): Promise<void> {
  if (writer.protocol !== 'file') return
  await writer.execute('PRAGMA synchronous = FULL')
  await writer.execute(`PRAGMA cache_size = -${WRITER_CACHE_KIB}`)
  await writer.execute(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
  await writer.execute(`PRAGMA foreign_keys = ${references ? 'ON' : 'OFF'}`)
}

/** undefined: a server decides that for itself. */
async function checkpointsOf(writer: Client, log: Log | undefined): Promise<Checkpoints | undefined> {
  if (writer.protocol !== 'file') return undefined
  const { rows } = await writer.execute('PRAGMA database_list')
  return new Checkpoints(String(rows[0]?.file), log)
}

async function reopen(writer: Client, references: boolean): Promise<void> {
  await writer.reconnect()
  await configure(writer, references)
}
