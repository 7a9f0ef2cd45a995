import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, systemClock } from '../../registry/clock.ts'
import type { SiteId } from '../../registry/versions/version.ts'
import { type Database, openDatabase } from '../../schema/database.ts'
import { createProject } from '../../schema/projects.ts'
import { createUser } from '../../schema/users.ts'

export interface TemporaryDatabase extends AsyncDisposable {
  readonly db: Database
  readonly url: string
}

/** A database of its own in a temporary folder, gone when disposed of. */
export async function temporaryDatabase({ clock = systemClock, site }: { clock?: Clock; site?: SiteId } = {}): Promise<TemporaryDatabase> {
  const folder = await mkdtemp(join(tmpdir(), 'atoll-db-'))
  const url = `file:${join(folder, 'atoll.db')}`
  const db = await openDatabase({ url, clock, site })
  return {
    db,
    url,
    [Symbol.asyncDispose]: async () => {
      await db.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** An administrator and a project that is his. */
export async function seed(db: Database, project: { name?: string; storageLimit?: number } = {}): Promise<{ userId: number; projectId: number }> {
  const user = await createUser(db, { username: `owner-of-${project.name ?? 'team'}`, admin: true }, 'system')
  const { id } = await createProject(
    db,
    { name: project.name ?? 'team', ownerId: user.id, public: false, storageLimit: project.storageLimit },
    `user:${user.id}`,
  )
  return { userId: user.id, projectId: id }
}
