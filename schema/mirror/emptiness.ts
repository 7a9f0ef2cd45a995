import type { Database } from '../database.ts'
import { manifests } from '../tables/repositories.ts'

/** Whether there is any artifact here. */
export async function holdsArtifacts(db: Pick<Database, 'read'>): Promise<boolean> {
  return (await db.read.sql.select({ id: manifests.id }).from(manifests).limit(1)).length > 0
}
