import { lt, sql as raw } from 'drizzle-orm'
import type { PullBatch, Pulls } from '../mesh/pulls.ts'
import { appendAuditAll, type NewAuditEntry } from './audit/chain.ts'
import { PULL } from './audit/events.ts'
import type { WriteConnection } from './connection.ts'
import type { Database } from './database.ts'
import { AUDIT_ROWS, PULL_ROWS, PULLS_ALONE } from './limits.ts'
import { pulls as pullLog, pullSpools } from './tables/pulls.ts'

/** A repository that was pulled from and still is. */
interface Known {
  readonly id: number
  readonly name: string
  readonly projectId: number
}

/** Keeps who pulled what, and counts it where it still exists. Many in one transaction: whoever serves them collects them first. Not in the feed. */
export async function recordPulls(db: Database, pulls: readonly Pulls[]): Promise<void> {
  for (let from = 0; from < pulls.length; from += PULL_ROWS) {
    await db.write((connection) => record(connection, pulls.slice(from, from + PULL_ROWS), undefined))
  }
}

/** The same for a batch from an edge, in one transaction. False: it was taken before, and nothing is counted again. */
export async function takeSpooledPulls(db: Database, edge: string, { spool, number, pulls, lost }: PullBatch): Promise<boolean> {
  return await db.write(async (connection) => {
    const { sql } = connection
    const updatedAt = db.clock.now()
    const taken = await sql
      .insert(pullSpools)
      .values({ edge, spool, number, lost, updatedAt })
      .onConflictDoUpdate({
        target: [pullSpools.edge, pullSpools.spool],
        set: { number, lost: raw`${pullSpools.lost} + ${lost}`, updatedAt },
        setWhere: lt(pullSpools.number, number),
      })
      .returning({ number: pullSpools.number })
      .get()
    if (taken === undefined) return false
    await record(connection, pulls, edge)
    return true
  })
}

/** Forgets who pulled what before `before`; counts stay. At most `limit` rows go; resolves with how many. */
export async function forgetPullsBefore(db: Database, before: number, limit: number): Promise<number> {
  const gone = await db.write(({ sql }) =>
    sql
      .delete(pullLog)
      .where(raw`${pullLog.id} IN (SELECT id FROM ${pullLog} WHERE ${lt(pullLog.last, before)} ORDER BY last LIMIT ${limit})`)
      .returning({ id: pullLog.id }),
  )
  return gone.length
}

async function record(connection: WriteConnection, pulls: readonly Pulls[], edge: string | undefined): Promise<void> {
  for (let from = 0; from < pulls.length; from += PULL_ROWS) {
    if (from > 0) await othersGoOn()
    await recordSome(connection, pulls.slice(from, from + PULL_ROWS), edge)
  }
}

/** In a few statements, however many there are: each holds up the whole process. */
async function recordSome(connection: WriteConnection, pulls: readonly Pulls[], edge: string | undefined): Promise<void> {
  const { sql } = connection
  await sql.insert(pullLog).values(pulls.map((some) => ({ ...some, edge })))
  const counts = addedUp(
    pulls,
    ({ repository, count }) => ({ key: [repository], value: count }),
    (a, b) => a + b,
  )
  const rows = await sql.all<Known>(raw`
    UPDATE repositories SET pull_count = pull_count + p.count
    FROM (SELECT value ->> 0 AS name, value ->> 1 AS count FROM json_each(${counts})) p
    WHERE repositories.name = p.name
    RETURNING id, name, project_id AS projectId`)
  const known = new Map<string, Known>(rows.map((row) => [row.name, row]))
  await othersGoOn()
  const idOf = ({ repository }: Pulls) => known.get(repository)?.id ?? 0
  const byDigest = addedUp(pulls, (some) => ({ key: [idOf(some), some.digest], value: some.last }), Math.max)
  await sql.run(raw`
    UPDATE manifests SET pulled_at = max(coalesce(pulled_at, 0), p.last)
    FROM (SELECT value ->> 0 AS repository, value ->> 1 AS digest, value ->> 2 AS last FROM json_each(${byDigest})) p
    WHERE manifests.repository_id = p.repository AND manifests.digest = p.digest`)
  await othersGoOn()
  const byTag = addedUp(
    pulls.filter(({ tag }) => tag !== undefined),
    (some) => ({ key: [idOf(some), some.tag, some.digest], value: some.last }),
    Math.max,
  )
  await sql.run(raw`
    UPDATE tags SET pulled_at = max(coalesce(pulled_at, 0), p.last)
    FROM (SELECT value ->> 0 AS repository, value ->> 1 AS name, value ->> 2 AS digest, value ->> 3 AS last FROM json_each(${byTag})) p
    WHERE tags.repository_id = p.repository AND tags.name = p.name AND tags.digest = p.digest`)
  const entries = pulls.flatMap((some) => entriesOf(some, known.get(some.repository)?.projectId, edge))
  for (let from = 0; from < entries.length; from += AUDIT_ROWS) {
    await othersGoOn()
    await appendAuditAll(connection, entries.slice(from, from + AUDIT_ROWS))
  }
}

/** A row for each key, with its value last, as JSON. */
function addedUp(
  pulls: readonly Pulls[],
  of: (pulls: Pulls) => { readonly key: readonly unknown[]; readonly value: number },
  add: (a: number, b: number) => number,
): string {
  const sums = new Map<string, readonly unknown[]>()
  for (const some of pulls) {
    const { key, value } = of(some)
    const name = JSON.stringify(key)
    const before = sums.get(name)?.at(-1) as number | undefined
    sums.set(name, [...key, before === undefined ? value : add(before, value)])
  }
  return JSON.stringify([...sums.values()])
}

const othersGoOn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Each pull by itself, at the time it was or between the first and the last of its kind; of very many alike the rest is one entry. */
function entriesOf(pulls: Pulls, projectId: number | undefined, edge: string | undefined): NewAuditEntry[] {
  const { subject, repository, digest, tag, client, count, first, last } = pulls
  const alone = Math.min(count, PULLS_ALONE)
  const detail = JSON.stringify({ digest, ...(edge !== undefined && { edge }) })
  return Array.from({ length: alone }, (_, at) => ({
    ...PULL,
    time: Math.round(alone === 1 ? last : first + ((last - first) * at) / (alone - 1)),
    actor: subject,
    address: client ?? '',
    resource: tag === undefined ? `${repository}@${digest}` : `${repository}:${tag}`,
    projectId: projectId ?? null,
    succeeded: true,
    count: at === alone - 1 ? count - at : 1,
    detail,
  }))
}
