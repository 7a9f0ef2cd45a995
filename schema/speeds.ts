import { sql as raw } from 'drizzle-orm'
import type { Database } from './database.ts'
import { REPLICATE } from './replication-jobs.ts'

/** What runs over an endpoint now, and how fast it may. Speeds in KiB a second; 0 or less: as fast as it goes. */
export interface EndpointUse {
  readonly speed: number
  readonly rules: readonly RuleUse[]
}

export interface RuleUse {
  readonly policyId: number
  readonly speed: number
  /** How many of its tasks run, by the process that does them. */
  readonly tasks: ReadonlyMap<string, number>
}

export async function useOfEndpoint(db: Database, endpointId: number): Promise<EndpointUse> {
  const { sql } = db.read
  const endpoint = await sql.get<{ speed: number }>(raw`SELECT speed FROM endpoints WHERE id = ${endpointId}`)
  const rows = await sql.all<{ policyId: number; speed: number | null; owner: string; tasks: number }>(raw`
    SELECT json_extract(j.payload, '$.policyId') AS policyId, p.speed, coalesce(j.lease_owner, '') AS owner, count(*) AS tasks
      FROM jobs j LEFT JOIN replication_policies p ON p.id = json_extract(j.payload, '$.policyId')
      WHERE j.state = 'running' AND j.kind = ${REPLICATE} AND j.lane = ${endpointId} GROUP BY 1, 3`)
  const rules = new Map<number, { policyId: number; speed: number; tasks: Map<string, number> }>()
  for (const { policyId, speed, owner, tasks } of rows) {
    const rule = rules.get(policyId) ?? { policyId, speed: speed ?? 0, tasks: new Map() }
    rules.set(policyId, rule)
    rule.tasks.set(owner, tasks)
  }
  return { speed: endpoint?.speed ?? 0, rules: [...rules.values()] }
}
