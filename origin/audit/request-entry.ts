import type { SubjectId } from '../../policy/facts.ts'
import type { NewAuditEntry } from '../../schema/audit/chain.ts'
import type { AuditEvent } from '../../schema/audit/events.ts'

/** What came of one request by HTTP. */
export interface AnsweredRequest {
  readonly actor: SubjectId
  readonly method: string
  readonly path: string
  readonly projectId: number | undefined
  readonly status: number
}

const PATH_LIMIT = 512

/** The entry of what no row tells of: that somebody asked for it, and what he was answered. `time`: milliseconds since the epoch. */
export function requestEntry(event: AuditEvent, time: number, { actor, method, path, projectId, status }: AnsweredRequest): NewAuditEntry {
  return {
    ...event,
    time,
    actor,
    resource: path.slice(0, PATH_LIMIT),
    projectId: projectId ?? null,
    succeeded: status < 400,
    count: 1,
    detail: JSON.stringify({ method, status }),
  }
}
