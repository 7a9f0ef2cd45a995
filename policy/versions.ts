import { decideSystem } from './decide.ts'
import type { Principal } from './facts.ts'

/**
 * May this principal say when and where a tag was set, as one site does to another? An administrator may, and a robot that is allowed to
 * start replications; a push by anybody else happens where and when it arrives. Pure: `now` is milliseconds since the epoch.
 */
export function maySetVersions(principal: Principal, now: number): boolean {
  return decideSystem(principal, { resource: 'replication', action: 'create' }, now).allow
}
