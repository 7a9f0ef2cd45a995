import { eq, sql as raw } from 'drizzle-orm'
import type { LibSQLDatabase } from 'drizzle-orm/libsql'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { WriteConnection } from '../connection.ts'
import { projects } from '../tables/projects.ts'

const statements = (sql: LibSQLDatabase) => ({
  charge: sql
    .update(projects)
    .set({ storageUsed: raw`${projects.storageUsed} + ${raw.placeholder('bytes')}` })
    .where(
      raw`${projects.id} = ${raw.placeholder('id')} AND (${projects.storageLimit} < 0 OR ${projects.storageUsed} + ${raw.placeholder('bytes')} <= ${projects.storageLimit})`,
    )
    .returning({ id: projects.id })
    .prepare(),
  refund: sql
    .update(projects)
    .set({ storageUsed: raw`max(0, ${projects.storageUsed} - ${raw.placeholder('bytes')})` })
    .where(eq(projects.id, raw.placeholder('id')))
    .prepare(),
  usage: sql
    .select({ name: projects.name, used: projects.storageUsed, limit: projects.storageLimit })
    .from(projects)
    .where(eq(projects.id, raw.placeholder('id')))
    .prepare(),
})

/** Counts bytes that are new to a project. @throws RegistryError DENIED when its quota has no room for them */
export async function charge(connection: WriteConnection, projectId: number, bytes: number): Promise<void> {
  if (bytes === 0) return
  const { charge, usage } = connection.prepared(statements)
  if ((await charge.get({ id: projectId, bytes })) !== undefined) return
  const project = await usage.get({ id: projectId })
  throw new RegistryError(
    'DENIED',
    `denied: quota of project ${project?.name} exceeded: asked ${bytes}, used ${project?.used}, allowed ${project?.limit} bytes`,
    { asked: bytes, used: project?.used, allowed: project?.limit },
  )
}

/** Takes back bytes that a project no longer has. */
export async function refund(connection: WriteConnection, projectId: number, bytes: number): Promise<void> {
  if (bytes > 0) await connection.prepared(statements).refund.run({ id: projectId, bytes })
}
