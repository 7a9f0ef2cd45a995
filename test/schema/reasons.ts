import { SEARCHED } from './life/step.ts'
import type { Costly } from './plans.ts'

/** Tables with a row for what administrators or the system itself enter one by one: reading one whole is cheap for ever. */
export const SMALL: ReadonlySet<string> = new Set([
  'audit_named',
  'cursors',
  'edges',
  'endpoints',
  // What a statement makes of `jobs` by an index, a row for each that waits.
  'kinds',
  'lane_pauses',
  'lanes',
  'lines',
  'leases',
  'mirror_owed',
  'preheat_instances',
  'replication_policies',
  'schedules',
  'settings',
  'signing_keys',
  'site',
  'site_pair',
  'sqlite_sequence',
  'user_groups',
  'worker_pools',
])

/** What is listed as a whole, for administrators. */
const LISTED = /^SCAN (?:projects|repositories|users|robots|jobs|audit_log|replication_executions)\b/

/** Why a statement may read or sort more than it looks up. */
export interface Reason {
  readonly why: string
  covers(costly: Costly): boolean
}

const says =
  (...parts: readonly (string | RegExp)[]) =>
  ({ sql }: Costly) =>
    parts.some((part) => (typeof part === 'string' ? sql.replaceAll(/\s+/g, ' ').includes(part) : part.test(sql)))
const sorts = ({ steps }: Costly) => steps.every((step) => step.startsWith('USE TEMP'))
const scans = ({ steps }: Costly) => steps.every((step) => step.startsWith('SCAN'))

/** Each has to be good for something: one that no statement needs any more is a failure, too. */
export const REASONS: readonly Reason[] = [
  {
    why: 'A list that is searched, or put into another order than its own, by what no index has, sorts what the rest of the filter leaves of it; of these tables it may be everything.',
    covers: ({ by, steps }) => by.endsWith(SEARCHED) && steps.every((step) => step.startsWith('USE TEMP') || LISTED.test(step)),
  },
  {
    why: 'Whether there is any of something is known with the first row of an index that has nothing else.',
    covers: ({ sql, steps }) =>
      /\blimit \?$/i.test(sql) && steps.length === 1 && /COVERING INDEX (?:webhook_policies_enabled|preheat_policies_on_push)$/.test(steps[0] ?? ''),
  },
  {
    why: 'What a project holds is counted again when somebody asks for that: an index by project and digest would cost each push and each deletion more.',
    covers: (costly) => sorts(costly) && says('FROM (SELECT size FROM manifests WHERE project_id = ? GROUP BY digest)')(costly),
  },
  {
    why: 'A page of everything in the order of an index ends where it is full; then it alone may be sorted.',
    covers: ({ sql, steps }) => {
      const [first = '', second, ...more] = steps
      const all =
        /from "\w+"(?: inner join "users" on \S+ = \S+)?(?: where "\w+"\."(?:deleted_at" is null|purged" = \?|listed" = 1))?(?: order by [^()]*)? limit \?(\) order by [^()]*)?$/i
      const page = all.exec(sql) ?? (/\blimit \?$/i.test(sql) && !/\bwhere\b/i.test(sql) ? [] : undefined)
      if (page === undefined || !first.startsWith('SCAN') || more.length > 0) return false
      return second === undefined || (page[1] !== undefined && second === 'USE TEMP B-TREE FOR ORDER BY')
    },
  },
  {
    why: 'How many there are of all is part of an answer; entries of an index are counted, 100,000 in 4 ms.',
    covers: (costly) =>
      scans(costly) &&
      /^select (?:count\(\*\)|coalesce\(sum\("storage_used"\), 0\)) from "\w+"(?: inner join "users" on \S+ = \S+)?(?: where "\w+"."(?:deleted_at" is null|purged" = \?|listed" = 1))?$/.test(
        costly.sql,
      ),
  },
  {
    why: 'What was pushed at the same moment is sorted among itself.',
    covers: ({ steps, sql }) =>
      steps.join() === 'USE TEMP B-TREE FOR RIGHT PART OF ORDER BY' && /"pushed_at" desc, "manifests"."id" desc limit \?$/.test(sql),
  },
  {
    why: 'A part of a name is looked for in each name that the rest of the filter leaves.',
    covers: (costly) => / LIKE \? ESCAPE '\\'/.test(costly.sql) && !costly.sql.includes('audit_log'),
  },
  {
    why: 'What is sorted has been found by a list of values or a page, which bounds it.',
    covers: (costly) =>
      sorts(costly) && /FROM json_each\(\?\)|in \(\?, \?\) order by|"id" in \(select "id" from .* limit \?\) order by/i.test(costly.sql),
  },
  {
    why: 'What is sorted is what people entered for one project, or one run, by hand.',
    covers: (costly) =>
      sorts(costly) &&
      says(
        'from "labels" where "labels"."project_id"',
        'from "robots" left join',
        'from "webhook_policies"',
        'from "preheat_policies" where "preheat_policies"."project_id"',
        '"retention_tasks"."execution_id" = ?',
        '"run_tasks"."run_id" = ?',
      )(costly),
  },
  {
    why: 'A standby that is filled begins empty.',
    covers: ({ sql, by }) => by === 'a standby' && /^DELETE FROM "\w+"$/.test(sql),
  },
  { why: 'A drill looks at tags by chance, once, in a copy of the database.', covers: says('ORDER BY random()') },
  {
    why: 'Whether there is any is known at the first.',
    covers: says(
      /^select "id" from "manifests" limit \?$/,
      'where ("users"."admin" = ? and "users"."deleted_at" is null) order by "users"."id" asc limit ?',
    ),
  },
  {
    why: 'Of all projects those with a setting: edges ask once when they start, for a name that is found nowhere else.',
    covers: says('json_extract("projects"."metadata", ?) IS NOT NULL'),
  },
  {
    why: 'Statistics are of everything, or of nothing (0), by the smallest index there is.',
    covers: says(/^select count\(\*\) from "repositories" inner join "projects"/, 'and 0)'),
  },
  { why: 'SQLite reads only the name by its index where one half of a condition is constant.', covers: says('("users"."username" = ? or 0)') },
  {
    why: 'A name by its project or none: robots are as many as people made.',
    covers: says('where "robots"."project_id" is null', /^select count\(\*\) from "robots"$/),
  },
  { why: 'The images above one are found from it, level by level.', covers: says('WITH RECURSIVE above(digest)') },
  {
    why: 'A step of the collection is a page of links, each looked at.',
    covers: says('FROM (SELECT * FROM repository_blobs WHERE (repository_id, digest) > (?, ?) ORDER BY repository_id, digest LIMIT ?) l'),
  },
  {
    why: 'The last version among the tags of a repository that goes.',
    covers: says('from "tags" where repository_id = ? order by "tags"."version" DESC limit ?'),
  },
  {
    why: 'Few artifacts carry a label, or a tag of this name; they are found by it, and then sorted.',
    covers: (costly) => sorts(costly) && says('+"manifests"."top" = 1', 'FROM artifact_labels l')(costly),
  },
  {
    why: 'Few jobs run at once.',
    covers: (costly) =>
      sorts(costly) &&
      says(
        'where "jobs"."state" = ? order by "jobs"."id"',
        '"jobs"."lease_owner" = ?',
        '"jobs"."lease_until" < ?',
        'JOIN jobs h ON h.id',
        'FROM jobs j LEFT JOIN replication_policies p',
      )(costly),
  },
  { why: 'How many jobs there are of each kind and state, counted by an index for metrics.', covers: says('group by "jobs"."state", "jobs"."kind"') },
  { why: 'The tags of one repository after another, each in the order of their index.', covers: says('(r.name, t.name) > (?, ?)') },
  { why: 'The end of a run tells each project once that it was about.', covers: says('SELECT DISTINCT p.id, p.name, r.name AS rule') },
]
