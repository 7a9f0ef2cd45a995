import type { CacheReport, FillReport } from '../mesh/enrolment.ts'
import type { FillCounters } from '../registry/fill/fills.ts'
import type { SpaceStatus } from './space/space.ts'

// What an edge tells its origin of itself, beside what it counts anyway.

export function fillReport({ fills: begun, completed, unstored: passed, failed, wrong }: FillCounters): FillReport {
  return { begun, completed, passed, failed, wrong }
}

export function cacheReport(name: string, { capacity, ...status }: SpaceStatus): CacheReport {
  return { name, ...status, ...(capacity !== undefined && Number.isFinite(capacity) && { capacity: Math.floor(capacity) }) }
}
