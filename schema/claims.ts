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
 * `heads`: the first of each kind, lane and priority among those that wait. Lanes, and priorities in them, are found by a step through the index
 * each: a comparison of one column, for with several at once SQLite would read all that is between.
 */
function heads(kinds: readonly string[]): SQL {
  const waiting = raw`FROM jobs j WHERE j.state = 'queued' AND j.kind`
  return raw`
    kinds (kind) AS (SELECT value FROM json_each(${JSON.stringify(kinds)})),
    lanes (kind, lane) AS (
      SELECT kind, (SELECT j.lane ${waiting} = kinds.kind ORDER BY j.lane LIMIT 1) FROM kinds
      UNION ALL
      SELECT kind, (SELECT j.lane ${waiting} = lanes.kind AND j.lane > lanes.lane ORDER BY j.lane LIMIT 1) FROM lanes WHERE lane IS NOT NULL
    ),
    lines (kind, lane, priority) AS (
      SELECT kind, lane, (SELECT j.priority ${waiting} = lanes.kind AND j.lane = lanes.lane ORDER BY j.priority LIMIT 1) FROM lanes WHERE lane IS NOT NULL
      UNION ALL
      SELECT kind, lane, (
        SELECT j.priority ${waiting} = lines.kind AND j.lane = lines.lane AND j.priority > lines.priority ORDER BY j.priority LIMIT 1
      ) FROM lines WHERE priority IS NOT NULL
    ),
    heads (id, kind, lane, priority, run_at) AS (
      SELECT h.id, h.kind, h.lane, h.priority, h.run_at FROM lines CROSS JOIN jobs h ON h.id = (
        SELECT j.id ${waiting} = lines.kind AND j.lane = lines.lane AND j.priority = lines.priority ORDER BY j.run_at, j.id LIMIT 1
      )
    )`
}

/** When the first may run whose time, or the end of whose lane's pause, has yet to come, as `at`; null: none waits for that. */
export function nextTime(kinds: readonly string[], now: number): SQL {
  return raw`
    WITH RECURSIVE ${heads(kinds)}
    SELECT min(max(heads.run_at, coalesce(p.until, 0))) AS at FROM heads LEFT JOIN lane_pauses p ON p.lane = heads.lane
    WHERE max(heads.run_at, coalesce(p.until, 0)) > ${now}`
}

/** Jobs that use no endpoint are a lane by their kind. */
const LANE = raw`CASE lane WHEN 0 THEN kind ELSE lane END`

/** The id of the job that `leaseJob` promises, or null. */
export function nextJobId({ kinds, idleLanesOnly = false }: Claim, now: number): SQL {
  // A lane whose only holder has gone silent has nobody at work.
  const alone = raw`NOT EXISTS (
    SELECT 1 FROM jobs o WHERE o.state = 'running' AND o.lease_until >= ${now} AND o.lane = l.lane AND (o.lane <> 0 OR o.kind = l.kind)
  )`
  return raw`coalesce((
    SELECT l.id FROM jobs l WHERE l.state = 'running' AND l.lease_until < ${now} AND l.kind IN ${[...kinds]} ${idleLanesOnly ? raw`AND ${alone}` : raw``}
    ORDER BY l.lease_until LIMIT 1
  ), (
    WITH RECURSIVE ${heads(kinds)},
    busy (name, running) AS (SELECT ${LANE}, count(*) FROM jobs WHERE state = 'running' GROUP BY 1)
    SELECT heads.id FROM heads
      LEFT JOIN busy b ON b.name = CASE heads.lane WHEN 0 THEN heads.kind ELSE heads.lane END
      LEFT JOIN lane_pauses p ON p.lane = heads.lane
      LEFT JOIN endpoints e ON e.id = heads.lane
    WHERE heads.run_at <= ${now} AND coalesce(p.until, 0) <= ${now}
      AND (b.running IS NULL OR (${idleLanesOnly ? 0 : 1} AND p.failures IS NULL AND (coalesce(e.jobs_at_once, 0) <= 0 OR b.running < e.jobs_at_once)))
    ORDER BY heads.priority DESC, coalesce(b.running, 0), heads.run_at, heads.id LIMIT 1
  ))`
}
