import { sql as raw, type SQL } from 'drizzle-orm'

// Who may take which job. Nothing here reads a queue: each lane's next job is found by its place in the index, however many wait behind it.

export interface Claim {
  readonly kinds: readonly string[]
  readonly owner: string
  readonly leaseMs: number
  /** Only a job of a lane of which nothing runs anywhere: for whoever is as busy as it wants to be. */
  readonly idleLanesOnly?: boolean | undefined
}

/**
 * The first of each kind, lane and priority among those that wait: a step through the index for each, whatever waits between them. The
 * signs take a number's affinity away, with which SQLite would not compare more than the first column by the index.
 */
const HEADS = raw`
  heads (id, kind, lane, priority, run_at) AS (
    SELECT * FROM (
      SELECT id, kind, lane, priority, run_at FROM jobs WHERE state = 'queued' ORDER BY kind, lane, priority, run_at, id LIMIT 1
    )
    UNION ALL
    SELECT j.id, j.kind, j.lane, j.priority, j.run_at FROM heads JOIN jobs j ON j.id = (
      SELECT n.id FROM jobs n WHERE n.state = 'queued' AND (n.kind, n.lane, n.priority) > (heads.kind, +heads.lane, +heads.priority)
      ORDER BY n.kind, n.lane, n.priority, n.run_at, n.id LIMIT 1
    )
  )`

/** When the first may run whose time, or the end of whose lane's pause, has yet to come, as `at`; null: none waits for that. */
export function nextTime(kinds: readonly string[], now: number): SQL {
  return raw`
    WITH RECURSIVE ${HEADS}
    SELECT min(max(heads.run_at, coalesce(p.until, 0))) AS at FROM heads LEFT JOIN lane_pauses p ON p.lane = heads.lane
    WHERE heads.kind IN ${[...kinds]} AND max(heads.run_at, coalesce(p.until, 0)) > ${now}`
}

/** Jobs that use no endpoint are a lane by their kind. */
const LANE = raw`CASE lane WHEN 0 THEN kind ELSE lane END`

/** The id of the job that `leaseJob` promises, or null. */
export function nextJobId({ kinds, idleLanesOnly = false }: Claim, now: number): SQL {
  const among = raw`kind IN ${[...kinds]}`
  // A lane whose only holder has gone silent has nobody at work.
  const alone = raw`NOT EXISTS (
    SELECT 1 FROM jobs o WHERE o.state = 'running' AND o.lease_until >= ${now} AND o.lane = l.lane AND (o.lane <> 0 OR o.kind = l.kind)
  )`
  return raw`coalesce((
    SELECT l.id FROM jobs l WHERE l.state = 'running' AND l.lease_until < ${now} AND l.${among} ${idleLanesOnly ? raw`AND ${alone}` : raw``}
    ORDER BY l.lease_until LIMIT 1
  ), (
    WITH RECURSIVE ${HEADS},
    busy (name, running) AS (SELECT ${LANE}, count(*) FROM jobs WHERE state = 'running' GROUP BY 1)
    SELECT heads.id FROM heads
      LEFT JOIN busy b ON b.name = CASE heads.lane WHEN 0 THEN heads.kind ELSE heads.lane END
      LEFT JOIN lane_pauses p ON p.lane = heads.lane
      LEFT JOIN endpoints e ON e.id = heads.lane
    WHERE heads.${among} AND heads.run_at <= ${now} AND coalesce(p.until, 0) <= ${now}
      AND (b.running IS NULL OR (${idleLanesOnly ? 0 : 1} AND p.failures IS NULL AND (coalesce(e.jobs_at_once, 0) <= 0 OR b.running < e.jobs_at_once)))
    ORDER BY heads.priority DESC, coalesce(b.running, 0), heads.run_at, heads.id LIMIT 1
  ))`
}
