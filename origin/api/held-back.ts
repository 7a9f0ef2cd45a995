import type { Database } from '../../schema/database.ts'
import { type Endpoint, findEndpointById } from '../../schema/endpoints.ts'
import { type LanePause, pausedLanes } from '../../schema/lanes.ts'
import { lanesOfPolicies } from '../../schema/replication.ts'
import type { ReplicationExecution } from '../../schema/replication-executions.ts'
import { instant } from './environment.ts'

type Held = Pick<ReplicationExecution, 'policyId' | 'status'>

/** Says of executions that run why their endpoint is not asked now, where that is so. */
export async function heldBack(db: Database, executions: readonly Held[]): Promise<(execution: Held) => string | undefined> {
  const running = executions.filter(({ status }) => status === 'InProgress')
  const paused = running.length === 0 ? undefined : await pausedLanes(db)
  if (paused === undefined || paused.size === 0) return () => undefined
  const lanes = await lanesOfPolicies(db, [...new Set(running.map(({ policyId }) => policyId))])
  const texts = new Map<number, string>()
  for (const [policyId, lane] of lanes) {
    const pause = paused.get(lane)
    if (pause !== undefined) texts.set(policyId, `${(await findEndpointById(db, lane))?.name ?? 'Its endpoint'} ${leftAlone(pause)}`)
  }
  return ({ policyId, status }) => (status === 'InProgress' ? texts.get(policyId) : undefined)
}

/** Says of endpoints why they are not asked now, where that is so. */
export async function pausesOf(db: Database): Promise<(endpoint: Pick<Endpoint, 'id'>) => string | undefined> {
  const paused = await pausedLanes(db)
  return ({ id }) => {
    const pause = paused.get(id)
    return pause && `It ${leftAlone(pause)}`
  }
}

function leftAlone({ until, reason }: LanePause): string {
  return `is left alone until ${instant(until)}, since a job of it failed: ${reason}`
}
