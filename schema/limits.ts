// Every bound of this room, by name.

/** How many writes may wait for a commit; the next is refused. */
export const WRITE_QUEUE_LIMIT = 4096
/** How many writes share a commit at most. */
export const COMMIT_GROUP_LIMIT = 64
/** How long a write may wait for its commit to begin, in milliseconds. */
export const WRITE_WAIT_MS = 10_000
/** How long a group of writes may take from its begin to its commit, in milliseconds. Only a far database comes near it. */
export const COMMIT_TIME_MS = 30_000
/** How long a read waits while another process opens or closes the database, in milliseconds; nothing else of SQLite holds a reader up. */
export const READ_WAIT_MS = 1_000
/** Between two tries for a lock that another process holds, in milliseconds: a random time up to this, doubled at each try. */
export const BUSY_PAUSE_MS = 5
export const BUSY_PAUSE_LIMIT_MS = 100
/** How often somebody who waits for changes looks for those of other processes, in milliseconds. */
export const CHANGES_POLL_MS = 250
/** What is kept of a replication task's log, in characters. */
export const LOG_LIMIT = 64 * 1024
/** How many rows one statement inserts: 4 columns to a row stay far below SQLite's limit of variables. */
export const INSERT_ROWS = 500
/** How many lines of the pull log one statement inserts, of 9 columns each. */
export const PULL_ROWS = 500
/** How often it is written down that somebody goes on with an upload, in milliseconds. */
export const UPLOAD_NOTE_MS = 10 * 60_000

/** How many entries of the audit log one statement writes. */
export const AUDIT_ROWS = 200
/** Pulls alike that the audit log tells of one by one, of those that come together. */
export const PULLS_ALONE = 1_000
/** Names of users and robots that are remembered for the audit log. */
export const NAMES_LIMIT = 4_096

/** Bytes of pushes in progress that a project with a quota may always have; with a larger quota, as many as that. */
export const PENDING_LEAST = 10 * 1024 ** 3
/** How many changes one statement tells of. */
export const CHANGE_ROWS = 500

/** A timer that comes so much later than it was set for found something else running, in milliseconds. */
export const LATE_MS = 5
/** What a writer keeps of the database in memory: deletions touch many indexes, again and again. */
export const WRITER_CACHE_KIB = 16 * 1024
/** Rows that are changed before what was written goes from the log of writes to where it belongs: what is written often goes there once. */
export const CHECKPOINT_ROWS = 1_000
/** Pages of 4 KiB that the log grows to where that does not keep up: then the next commit waits for it. */
export const CHECKPOINT_PAGES = 20_000
