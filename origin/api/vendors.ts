import { PURGE_AUDIT } from '../../schema/audit/purge-jobs.ts'
import { COLLECT_GARBAGE } from '../../schema/garbage-jobs.ts'
import { START_PREHEAT } from '../../schema/preheat.ts'
import { PLAN_REPLICATION, REPLICATE, START_REPLICATION } from '../../schema/replication-jobs.ts'
import { RETAIN } from '../../schema/retention-jobs.ts'

/** Harbor's names for kinds of jobs. */
export const VENDORS: Readonly<Record<string, string>> = {
  [COLLECT_GARBAGE]: 'GARBAGE_COLLECTION',
  [PURGE_AUDIT]: 'PURGE_AUDIT_LOG',
  [RETAIN]: 'RETENTION',
  [START_PREHEAT]: 'P2P_PREHEAT',
  [START_REPLICATION]: 'REPLICATION_START',
  [PLAN_REPLICATION]: 'REPLICATION_PLAN',
  [REPLICATE]: 'REPLICATION',
}

/** What a schedule is called by what it begins: Harbor has one word for all of a replication. */
export function vendorOfSchedule(kind: string): string {
  return VENDORS[kind === START_REPLICATION ? REPLICATE : kind] ?? kind
}

/** The kind of jobs that Harbor's name means; undefined: there is none. */
export function jobKindOf(vendor: string): string | undefined {
  return Object.keys(VENDORS).find((kind) => VENDORS[kind] === vendor.toUpperCase())
}
