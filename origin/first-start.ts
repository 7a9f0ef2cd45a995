import { randomBytes, randomUUID } from 'node:crypto'
import { pause } from '../registry/clock.ts'
import type { Passwords } from '../runtime/credentials/passwords.ts'
import type { Database } from '../schema/database.ts'
import { createEndpoint, findEndpointByName } from '../schema/endpoints.ts'
import { dropLease, takeLease } from '../schema/leases.ts'
import { createProject, findProjectByName } from '../schema/projects.ts'
import { readSetting, writeSetting } from '../schema/settings.ts'
import { createUser, findUserByUsername, setPasswordHash } from '../schema/users.ts'

export const ADMIN = 'admin'
const DONE = 'first_start'
const ACTOR = 'system'
/** Processes that start on one new database do this one after the other. What one that died had begun is taken up after so many milliseconds. */
const LEASE = 'first start'
const LEASE_MS = 15_000
const LOOK_MS = 100

const PROXIES = [
  { project: 'dockerhub-proxy', endpoint: { name: 'Docker Hub', type: 'docker-hub', url: 'https://hub.docker.com' } },
  { project: 'quay-proxy', endpoint: { name: 'Quay', type: 'quay', url: 'https://quay.io' } },
] as const

/**
 * Makes what a new site begins with: the administrator, the project `library`, and proxy caches of Docker Hub and Quay. Broken off, it goes on
 * where it was; done, it never does anything again. Gives the administrator's password if it was made here: show it now, nobody can later.
 */
export async function firstStart(db: Database, passwords: Passwords, configured: string | undefined): Promise<string | undefined> {
  const done = async () => (await readSetting(db, DONE)) !== undefined
  if (await done()) return undefined
  const owner = randomUUID()
  while (!(await takeLease(db, LEASE, owner, LEASE_MS))) await pause(db.clock, LOOK_MS)
  try {
    return (await done()) ? undefined : await begin(db, passwords, configured)
  } finally {
    await dropLease(db, LEASE, owner)
  }
}

async function begin(db: Database, passwords: Passwords, configured: string | undefined): Promise<string | undefined> {
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
