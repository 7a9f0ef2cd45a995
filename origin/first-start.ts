import { randomBytes } from 'node:crypto'
import type { Passwords } from '../runtime/credentials/passwords.ts'
import type { Database } from '../schema/database.ts'
import { createEndpoint, findEndpointByName } from '../schema/endpoints.ts'
import { createProject, findProjectByName } from '../schema/projects.ts'
import { readSetting, writeSetting } from '../schema/settings.ts'
import { createUser, findUserByUsername, setPasswordHash } from '../schema/users.ts'

export const ADMIN = 'admin'
const DONE = 'first_start'
const ACTOR = 'system'

const PROXIES = [
  { project: 'dockerhub-proxy', endpoint: { name: 'Docker Hub', type: 'docker-hub', url: 'https://hub.docker.com' } },
  { project: 'quay-proxy', endpoint: { name: 'Quay', type: 'quay', url: 'https://quay.io' } },
] as const

/**
 * Makes what a new site begins with: the administrator, the project `library`, and proxy caches of Docker Hub and Quay. Broken off, it goes on
 * where it was; done, it never does anything again. Gives the administrator's password if it was made here: show it now, nobody can later.
 */
export async function firstStart(db: Database, passwords: Passwords, configured: string | undefined): Promise<string | undefined> {
  if ((await readSetting(db, DONE)) !== undefined) return undefined
  const password = configured ?? randomBytes(18).toString('base64url')
  const hash = await passwords.hash(password)
  const existing = await findUserByUsername(db, ADMIN)
  // There only if an earlier start was broken off, before anybody was shown its password.
  if (existing !== undefined) await setPasswordHash(db, existing.id, hash, ACTOR)
  const admin = existing ?? (await createUser(db, { username: ADMIN, realname: 'System administrator', admin: true, passwordHash: hash }, ACTOR))

  if ((await findProjectByName(db, 'library')) === undefined) await createProject(db, { name: 'library', ownerId: admin.id, public: true }, ACTOR)
  for (const { project, endpoint } of PROXIES) {
    const { id } = (await findEndpointByName(db, endpoint.name)) ?? (await createEndpoint(db, endpoint, ACTOR))
    if ((await findProjectByName(db, project)) === undefined) {
      await createProject(db, { name: project, ownerId: admin.id, public: true, endpointId: id }, ACTOR)
    }
  }
  await writeSetting(db, DONE, true, ACTOR)
  return configured === undefined ? password : undefined
}
