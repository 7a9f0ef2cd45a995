import { noteAuditNames } from '../../../schema/audit/names.ts'
import { purgeAudit } from '../../../schema/audit/purge.ts'
import { listAudit, readAudit } from '../../../schema/audit/read.ts'
import { verifyAudit } from '../../../schema/audit/verify.ts'
import { appendChange, headOfChanges, readChanges, readCursor, saveCursor } from '../../../schema/changes.ts'
import type { Database } from '../../../schema/database.ts'
import {
  createGroup,
  deleteGroup,
  ensureGroup,
  findGroupById,
  findGroupByName,
  groupsOfUser,
  listGroups,
  renameGroup,
  setGroupsOfUser,
} from '../../../schema/groups.ts'
import { addGuess, forgetGuesses, isKnownAddress, noteKnownAddress, readGuesses } from '../../../schema/guesses.ts'
import { addSigningKey, dropSigningKey, listSigningKeys, retireSigningKey, settleSigningKey } from '../../../schema/keys.ts'
import { dropLease, takeLease } from '../../../schema/leases.ts'
import { addMember, findMember, listMembers, removeMember, setMemberRole } from '../../../schema/members.ts'
import { beginOidcCheck, endOidcCheck, findOidcLink, oidcLinkOf, onboardLinked, renewOidcLink, setCliSecret } from '../../../schema/oidc-links.ts'
import { principalFacts } from '../../../schema/principals.ts'
import {
  createProject,
  deleteProject,
  findProjectById,
  findProjectByName,
  listProjects,
  projectFacts,
  projectsWithSetting,
  updateProject,
} from '../../../schema/projects.ts'
import { createRobot, deleteRobot, findRobotById, findRobotByName, listRobots, setRobotSecret, updateRobot } from '../../../schema/robots.ts'
import { createSession, deleteSession, extendSession, findSession, forgetSessionsBefore } from '../../../schema/sessions.ts'
import { readSetting, readSettings, settleSetting, writeSetting, writeSettings } from '../../../schema/settings.ts'
import { readStatistics } from '../../../schema/statistics.ts'
import {
  createUser,
  deleteUser,
  dropAdminsByGroup,
  findUserById,
  findUserByUsername,
  firstAdministrator,
  listUsers,
  onboardUser,
  replacePasswordHash,
  setAdminByGroup,
  setPasswordHash,
  setSysadmin,
  updateUser,
} from '../../../schema/users.ts'
import { listing, refused, type Step } from './step.ts'

const ME = 'user:1'
const key = { kid: 'k', algorithm: 'EdDSA', publicJwk: {}, sealedPrivate: '' }
const link = { issuer: 'i', subject: 's', sealedSecret: '', sealedRefreshToken: null, checkedAt: 1 }
const oidcLink = async (db: Database) => {
  const found = await findOidcLink(db, link.issuer, link.subject)
  if (found === undefined) throw new Error('nobody is linked')
  return found
}
const linked = async (db: Database) => (await findOidcLink(db, link.issuer, link.subject))?.userId ?? 0
const robot = { secretHash: 'h', duration: -1, permissions: [], creator: ME }

/** People, their groups, robots, projects, sessions, and the log of what they do. User 1 and project 1 are there. */
export const people: readonly Step[] = [
  ['create a user', (db) => createUser(db, { username: 'ann', email: 'ann@example.test', passwordHash: 'x' }, ME)],
  ['create a user that is there', (db) => refused(createUser(db, { username: 'ANN', email: 'ann@example.test' }, ME))],
  ['onboard a user', (db) => onboardUser(db, { username: 'bob', email: 'ann@example.test' })],
  ['onboard a user that is there', (db) => refused(onboardUser(db, { username: 'bob' }))],
  ['find a user', (db) => findUserByUsername(db, 'ADMIN')],
  ['find a user by id', (db) => findUserById(db, 2)],
  ['the first administrator', (db) => firstAdministrator(db)],
  ['users', (db) => listUsers(db, { username: 'n', admin: false }, listing)],
  ['update a user', (db) => updateUser(db, 2, { email: 'a@example.test' }, ME)],
  ['set a password', (db) => setPasswordHash(db, 2, 'y', ME)],
  ['hash a password better', (db) => replacePasswordHash(db, 2, 'y', 'z')],
  ['make an administrator', (db) => setSysadmin(db, 2, true, ME)],
  [
    'and by a group, until that is another',
    async (db) => {
      await setAdminByGroup(db, 2, true, ME)
      await dropAdminsByGroup(db, ME)
    },
  ],
  ['what is known of a user', (db) => principalFacts(db, 'user:2')],
  ['a group comes with a login', (db) => ensureGroup(db, { name: 'g', type: 1, ldapDn: 'cn=g' })],
  ['create a group', (db) => createGroup(db, { name: 'h', type: 3 }, ME)],
  ['rename a group', (db) => renameGroup(db, 2, 'i', ME)],
  ['groups', (db) => listGroups(db, { name: 'g', ldapDn: 'cn=g' }, listing)],
  ['find a group', (db) => findGroupById(db, 1)],
  ['find a group by its name', (db) => findGroupByName(db, 'a', 1)],
  [
    'groups of a user',
    async (db) => {
      await setGroupsOfUser(db, 2, [1, 2], ME)
      await setGroupsOfUser(db, 2, [1], ME)
      await groupsOfUser(db, 2)
    },
  ],
  ['add a member', (db) => addMember(db, { projectId: 1, kind: 'user', subjectId: 2, role: 2 }, ME)],
  ['add a group', (db) => addMember(db, { projectId: 1, kind: 'group', subjectId: 1, role: 2 }, ME)],
  ['find a member', (db) => findMember(db, 1, 2)],
  ['members of a project', (db) => listMembers(db, 1, { name: 'a' }, listing)],
  ['change a role', (db) => setMemberRole(db, 1, 2, 3, ME)],
  ['facts of a project', (db) => projectFacts(db, 'team')],
  ['facts of a project by id', (db) => projectFacts(db, 1)],
  ['find a project', (db) => findProjectByName(db, 'team')],
  ['find a project by id', (db) => findProjectById(db, 1)],
  ['projects with a setting', (db) => projectsWithSetting(db, 'mirror')],
  ['projects of a member', (db) => listProjects(db, { memberOf: { userId: 1, groups: [1, 2] } }, listing)],
  ['projects that one may see', (db) => listProjects(db, { visibleTo: { userId: 1, groups: [1] }, name: 'x' }, listing)],
  ['projects, some more', (db) => listProjects(db, { visibleIds: [1], ids: [1], ownerName: 'x', proxy: true }, listing)],
  ['update a project', (db) => updateProject(db, 1, { public: true, storageLimit: 1_000_000, metadata: { auto_scan: 'true' } }, ME)],
  ['statistics', (db) => readStatistics(db, undefined)],
  ['statistics of a user', (db) => readStatistics(db, 2)],
  ['create a robot', (db) => createRobot(db, { ...robot, name: 'ci', projectId: 1 }, ME)],
  ['create a robot of the system', (db) => createRobot(db, { ...robot, name: 'ci' }, ME)],
  ['find a robot of a project', (db) => findRobotByName(db, 'ci', 'team')],
  ['find a robot of the system', (db) => findRobotByName(db, 'ci', undefined)],
  ['find a robot', (db) => findRobotById(db, 1)],
  ['what is known of a robot', (db) => principalFacts(db, 'robot:1')],
  ['robots of a project', (db) => listRobots(db, { projectId: 1 }, listing)],
  ['robots of the system', (db) => listRobots(db, { projectId: null }, listing)],
  ['robots of all', (db) => listRobots(db, {}, listing)],
  ['update a robot', (db) => updateRobot(db, 1, { disabled: true }, ME)],
  ['a new secret of a robot', (db) => setRobotSecret(db, 1, 'i', ME)],
  ['delete a robot', (db) => deleteRobot(db, 1, ME)],
  ['log in', (db) => createSession(db, { hash: 's', userId: 2, credentialVersion: 1, sealedIdToken: null, expiresAt: 1 })],
  ['find a session', (db) => findSession(db, 's')],
  ['extend a session', (db) => extendSession(db, 's', 2)],
  ['log out', (db) => deleteSession(db, 's')],
  ['forget old sessions', (db) => forgetSessionsBefore(db, 5, 10)],
  ['onboard a user of a provider', (db) => onboardLinked(db, { username: 'linked' }, link)],
  ['find a user of a provider', (db) => findOidcLink(db, 'i', 's')],
  ['the provider of a user', async (db) => oidcLinkOf(db, await linked(db))],
  ['be the one who asks the provider', async (db) => beginOidcCheck(db, await oidcLink(db), 1_000)],
  ['have asked the provider', async (db) => endOidcCheck(db, await linked(db))],
  ['ask the provider again', async (db) => renewOidcLink(db, await linked(db), { sealedRefreshToken: 'r', checkedAt: 2 })],
  ['a new secret of a user', async (db) => setCliSecret(db, await linked(db), 't', ME)],
  [
    'a wrong password',
    async (db) => {
      await addGuess(db, ['a', 'b'], 1_000)
      await readGuesses(db, ['a', 'b'], 1_000)
      await forgetGuesses(db, 'a')
      await noteKnownAddress(db, 'a', 0)
      await isKnownAddress(db, 'a', 0)
    },
  ],
  [
    'settings',
    async (db) => {
      await writeSetting(db, 'a', 1, ME)
      await writeSettings(
        db,
        [
          { key: 'a', value: undefined },
          { key: 'b', value: 2 },
        ],
        ME,
      )
      await settleSetting(db, 'c', 3)
      await Promise.all([readSetting(db, 'a'), readSettings(db)])
    },
  ],
  [
    'keys that sign',
    async (db) => {
      await settleSigningKey(db, key)
      await addSigningKey(db, { ...key, kid: 'l' }, ME)
      await listSigningKeys(db)
      await retireSigningKey(db, 'k', ME)
      await dropSigningKey(db, 'k', ME)
    },
  ],
  [
    'lead',
    async (db) => {
      await takeLease(db, 'l', 'me', 1_000)
      await dropLease(db, 'l', 'me')
    },
  ],
  [
    'the feed',
    async (db) => {
      await appendChange(db, { actor: ME, kind: 'project.updated', subject: 'team', projectId: 1 })
      await readChanges(db, 5, 10)
      await readChanges(db, 5, 10, { projectId: 1 })
      await headOfChanges(db)
      await saveCursor(db, 'c', 1)
      await readCursor(db, 'c')
      await db.changesAvailable(0)
    },
  ],
  ['the audit log', (db) => listAudit(db, {}, listing)],
  ['the audit log of a project', (db) => listAudit(db, { projectIds: [1], username: { match: 'exact', value: 'x' }, from: 1, to: 2 }, listing)],
  ['the audit log of many projects', (db) => listAudit(db, { projectIds: [1, 2] }, listing)],
  ['the audit log from a place', (db) => readAudit(db, 5, 10)],
  ['the audit log from a place, as purged', (db) => readAudit(db, 5, 10, { purged: true, projectIds: [1] })],
  ['write down the names in the audit log', (db) => noteAuditNames(db)],
  [
    'the audit log by parts of names',
    async (db) => {
      const [username, operation, resourceType, resource] = ['own', 'cre', 'proj', 'tea'].map((text) => ({ match: 'part' as const, text }))
      for (const filter of [{ username }, { operation }, { resourceType }, { resource }, { resource, projectIds: [1] }])
        await listAudit(db, filter, listing)
    },
  ],
  [
    'purge the audit log',
    async (db) => {
      await Array.fromAsync(purgeAudit(db, { before: db.clock.now() + 1, events: ['create_user'], dryRun: true, actor: 'user:1' }))
      await Array.fromAsync(purgeAudit(db, { before: db.clock.now() + 1, events: ['create_user'], dryRun: false, actor: 'user:1' }))
      await Array.fromAsync(purgeAudit(db, { before: db.clock.now() + 1, dryRun: false, actor: 'user:1' }))
    },
  ],
  ['verify the audit log', (db) => Array.fromAsync(verifyAudit(db))],
  ['remove a member', (db) => removeMember(db, 1, 2, ME)],
  ['delete a group', (db) => deleteGroup(db, 1, ME)],
  [
    'a project comes and goes',
    async (db) => {
      const { id } = await createProject(db, { name: 'short', ownerId: 1, public: false }, ME)
      await createRobot(db, { ...robot, name: 'x', projectId: id }, ME)
      await deleteProject(db, id, ME)
    },
  ],
  ['delete a user', (db) => deleteUser(db, 3, ME)],
]
