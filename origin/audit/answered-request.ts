import type { SubjectId } from '../../policy/facts.ts'
import { appendAudit } from '../../schema/audit/chain.ts'
import type { AuditEvent } from '../../schema/audit/events.ts'
import type { Database } from '../../schema/database.ts'

/** What came of one request by HTTP. */
export interface AnsweredRequest {
  readonly actor: SubjectId
  readonly method: string
  readonly path: string
  readonly projectId: number | undefined
  readonly status: number
}

const PATH_LIMIT = 512

/** Tells the audit log what no row tells of: that somebody asked for it, and what he was answered. Durable when it resolves. */
export async function tellOfRequest(db: Database, event: AuditEvent, { actor, method, path, projectId, status }: AnsweredRequest): Promise<void> {
  const entry = {
    ...event,
    time: db.clock.now(),
    actor,
    resource: path.slice(0, PATH_LIMIT),
    projectId: projectId ?? null,
    succeeded: status < 400,
    count: 1,
    detail: JSON.stringify({ method, status }),
  }
  await db.write((connection) => appendAudit(connection, entry))
}
