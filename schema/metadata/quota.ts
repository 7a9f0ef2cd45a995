import { eq, sql as raw } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import type { Digest } from '../../registry/spec/digests.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { RepositoryName } from '../../registry/spec/names.ts'
import { appendAudit, type NewAuditEntry } from '../audit/chain.ts'
import { type QUOTA_EXCEEDED, QUOTA_NEAR } from '../audit/events.ts'
import type { WriteConnection } from '../connection.ts'
import type { Database } from '../database.ts'
import { PENDING_LEAST } from '../limits.ts'
import { projects } from '../tables/projects.ts'

/** The part of a quota from which on whoever wants to know is told. */
const NEAR = 0.85

const value = raw.placeholder

const statements = (sql: LibSQLDatabase) => ({
  begin: sql
    .update(projects)
    .set({ storagePending: raw`${projects.storagePending} + ${value('bytes')}` })
    .where(
      raw`${projects.id} = ${value('id')} AND (${projects.storageLimit} < 0 OR (${projects.storageUsed} + ${value('bytes')} <= ${projects.storageLimit}
        AND ${projects.storagePending} + ${value('bytes')} <= max(${projects.storageLimit}, ${PENDING_LEAST})))`,
    )
    .returning({ id: projects.id })
    .prepare(),
  settle: sql
    .update(projects)
    .set({ storagePending: raw`max(0, ${projects.storagePending} - ${value('bytes')})` })
    .where(eq(projects.id, value('id')))
    .prepare(),
  charge: sql
    .update(projects)
    .set({ storageUsed: raw`${projects.storageUsed} + ${value('bytes')}` })
    .where(
      raw`${projects.id} = ${value('id')} AND (${projects.storageLimit} < 0 OR ${projects.storageUsed} + ${value('bytes')} <= ${projects.storageLimit})`,
    )
    .returning({ name: projects.name, used: projects.storageUsed, limit: projects.storageLimit })
    .prepare(),
  refund: sql
    .update(projects)
    .set({ storageUsed: raw`max(0, ${projects.storageUsed} - ${value('bytes')})` })
    .where(eq(projects.id, value('id')))
    .prepare(),
  usage: sql
    .select({ name: projects.name, used: projects.storageUsed, pending: projects.storagePending, limit: projects.storageLimit })
    .from(projects)
    .where(eq(projects.id, value('id')))
    .prepare(),
})

/** What somebody pushed that a quota had to do with. */
export interface Pushed {
  readonly actor?: string | undefined
  readonly repository: RepositoryName
  readonly digest?: Digest | undefined
  /** The tag that it was pushed under. */
  readonly tag?: string | undefined
}

/** Counts bytes that are new to a project. @throws RegistryError DENIED when its quota has no room for them */
export async function charge(
  db: Pick<Database, 'clock'>,
  connection: WriteConnection,
  projectId: number,
  bytes: number,
  pushed: Pushed,
): Promise<void> {
  if (bytes === 0) return
  const { charge, usage } = connection.prepared(statements)
  const charged = await charge.get({ id: projectId, bytes })
  if (charged !== undefined) {
    const mark = charged.limit * NEAR
    if (charged.limit > 0 && charged.used >= mark && charged.used - bytes < mark) {
      await appendAudit(connection, quotaEntry(QUOTA_NEAR, db.clock.now(), { projectId, ...charged }, pushed))
    }
    return
  }
  throw exceeded(await usage.get({ id: projectId }), bytes)
}

/**
 * Notes bytes of a push that no manifest names yet. They count nothing, so that a push which comes to nothing takes no room from another;
 * one that can never fit is refused before the rest of it is sent. @throws RegistryError DENIED
 */
export async function beginCharge(connection: WriteConnection, projectId: number, bytes: number): Promise<void> {
  const { begin, usage } = connection.prepared(statements)
  if ((await begin.get({ id: projectId, bytes })) !== undefined) return
  const project = await usage.get({ id: projectId })
  if (project !== undefined && project.used + bytes > project.limit) throw exceeded(project, bytes)
  throw new RegistryError(
    'DENIED',
    `denied: quota of project ${project?.name} exceeded by pushes in progress: asked ${bytes}, begun ${project?.pending}, used ${project?.used}, allowed ${project?.limit} bytes; collect garbage if they are over`,
    { asked: bytes, used: project?.used, allowed: project?.limit },
  )
}

/** Bytes that were pending have been named by a manifest, or have gone. */
export async function settleCharge(connection: WriteConnection, projectId: number, bytes: number): Promise<void> {
  if (bytes > 0) await connection.prepared(statements).settle.run({ id: projectId, bytes })
}

function exceeded(project: { readonly name: string; readonly used: number; readonly limit: number } | undefined, bytes: number): RegistryError {
  return new RegistryError(
    'DENIED',
    `denied: quota of project ${project?.name} exceeded: asked ${bytes}, used ${project?.used}, allowed ${project?.limit} bytes`,
    { asked: bytes, used: project?.used, allowed: project?.limit },
  )
}

/** What the audit log says of a project's quota. Sizes in bytes. */
export function quotaEntry(
  event: typeof QUOTA_NEAR | typeof QUOTA_EXCEEDED,
  time: number,
  { projectId, name, used, limit }: { readonly projectId: number; readonly name: string; readonly used: number; readonly limit: number },
  { actor = 'system', ...what }: Pushed & { readonly refusal?: string },
): NewAuditEntry {
  const detail = JSON.stringify({ used, limit, ...what })
  return { ...event, time, actor, resource: name, projectId, succeeded: event === QUOTA_NEAR, count: 1, detail }
}

/** Takes back bytes that a project no longer has. */
export async function refund(connection: WriteConnection, projectId: number, bytes: number): Promise<void> {
  if (bytes > 0) await connection.prepared(statements).refund.run({ id: projectId, bytes })
}
