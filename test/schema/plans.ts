import type { Client } from '@libsql/client'

/** A statement with the parts of its plan that cost more the more there is. */
export interface Costly {
  readonly sql: string
  readonly by: string
  /** As `EXPLAIN QUERY PLAN` says it. */
  readonly steps: readonly string[]
}

/** Reading a table, or an index of it, from one end to the other; and sorting what was read. */
const COSTS = /^SCAN (?!CONSTANT ROW|\d+ CONSTANT ROWS|\(subquery|\w+ VIRTUAL TABLE)|^USE TEMP B-TREE/

/** What EXPLAIN can say nothing of. */
const UNPLANNED = /^(?:PRAGMA|VACUUM|CREATE|DROP|ALTER|BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|ANALYZE)/i

/** Names that a statement gives to tables: a plan speaks of those. */
const ALIAS = /(?:FROM|JOIN|UPDATE|INTO|,)\s+"?(\w+)"?\s+(?:AS\s+)?"?(\w+)"?/gi

/** The statements whose plans read more than they look up, but for tables that are `small`. */
export async function costlyPlans(client: Client, statements: ReadonlyMap<string, string>, small: ReadonlySet<string>): Promise<Costly[]> {
  const costly: Costly[] = []
  for (const [sql, by] of statements) {
    if (UNPLANNED.test(sql)) continue
    const { rows } = await client.execute({ sql: `EXPLAIN QUERY PLAN ${sql}`, args: Array(valuesOf(sql)).fill(null) })
    const tables = new Map([...sql.matchAll(ALIAS)].map(([, table = '', alias = '']) => [alias, table]))
    const isSmall = (name: string) => small.has(name) || small.has(tables.get(name) ?? '')
    const plan = rows.map((row) => String(row.detail))
    const read = plan.flatMap((detail) => /^(?:SCAN|SEARCH) (\w+)/.exec(detail)?.[1] ?? [])
    const steps = plan.filter(
      (detail) => COSTS.test(detail) && !(detail.startsWith('SCAN') ? isSmall(detail.split(' ')[1] ?? '') : read.every(isSmall)),
    )
    if (steps.length > 0) costly.push({ sql, by, steps })
  }
  return costly
}

/** How many values a statement waits for. */
function valuesOf(sql: string): number {
  return sql.replaceAll(/'(?:[^']|'')*'/g, "''").split('?').length - 1
}
