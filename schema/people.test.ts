import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ROLES } from '../policy/facts.ts'
import { seed, type TemporaryDatabase, temporaryDatabase } from '../test/support/database.ts'
import { headOfChanges, readChanges } from './changes.ts'
import { createEndpoint, deleteEndpoint, findEndpointById, recordEndpointStatus } from './endpoints.ts'
import { ensureGroup, setGroupsOfUser } from './groups.ts'
import { addMember, findMember, listMembers, removeMember, setMemberRole } from './members.ts'
import { principalFacts } from './principals.ts'
import { createProject, deleteProject, findProjectByName, listProjects, projectFacts, updateProject } from './projects.ts'
import { createRobot, deleteRobot, findRobotByName, listRobots, setRobotSecret, updateRobot } from './robots.ts'
import { createUser, deleteUser, findUserByUsername, firstAdministrator, listUsers, setPasswordHash, setSysadmin, updateUser } from './users.ts'

const listing = { page: 1, pageSize: 10 }

describe('projects and people', () => {
  let held: TemporaryDatabase
  let team: { userId: number; projectId: number }
  beforeEach(async () => {
    held = await temporaryDatabase()
    team = await seed(held.db)
  })
  afterEach(() => held[Symbol.asyncDispose]())

  const kinds = async (after: number) => (await readChanges(held.db, after, 100)).map((change) => `${change.kind} ${change.subject}`)

  it('decisions see exactly the members of their project', async () => {
    const { db } = held
    const other = await seed(db, { name: 'other' })
    const group = await ensureGroup(db, { name: 'devs', type: 3 })
    await addMember(db, { projectId: team.projectId, kind: 'group', subjectId: group.id, role: ROLES.developer }, 'system')
    expect(await projectFacts(db, 'team')).toEqual({
      id: team.projectId,
      name: 'team',
      public: false,
      proxy: false,
      members: [
        { subject: `group:${group.id}`, role: ROLES.developer },
        { subject: `user:${team.userId}`, role: ROLES.projectAdmin },
      ],
    })
    expect((await projectFacts(db, other.projectId))?.members).toEqual([{ subject: `user:${other.userId}`, role: ROLES.projectAdmin }])
    expect(await projectFacts(db, 'nobody')).toBeUndefined()
  })

  it('a project is listed to whom it is public, or who is in it himself or by a group', async () => {
    const { db } = held
    await seed(db, { name: 'other' })
    const reader = await createUser(db, { username: 'reader' }, 'system')
    await createProject(db, { name: 'open', ownerId: team.userId, public: true }, 'system')
    const names = async (filter: Parameters<typeof listProjects>[1]) => {
      const { items, total } = await listProjects(db, filter, { ...listing, sort: [{ field: 'name', descending: true }] })
      expect(total).toBe(items.length)
      return items.map((project) => project.name)
    }
    const group = await ensureGroup(db, { name: 'devs', type: 3 })
    await addMember(db, { projectId: team.projectId, kind: 'group', subjectId: group.id, role: ROLES.guest }, 'system')
    expect(await names({})).toEqual(['team', 'other', 'open'])
    expect(await names({ public: true })).toEqual(['open'])
    expect(await names({ name: 'E' })).toEqual(['team', 'other', 'open'])
    expect(await names({ name: 'ea' })).toEqual(['team'])
    expect(await names({ visibleTo: { userId: reader.id, groups: [] } })).toEqual(['open'])
    expect(await names({ visibleTo: { userId: reader.id, groups: [group.id, 99] } })).toEqual(['team', 'open'])
    expect(await names({ memberOf: { userId: team.userId, groups: [] } })).toEqual(['team', 'open'])
    expect(await listProjects(db, {}, { page: 2, pageSize: 2 })).toMatchObject({ items: [{ name: 'team', ownerName: 'owner-of-team' }], total: 3 })
  })

  it('a name is given once, and again after a deletion, to a new id', async () => {
    const { db } = held
    await expect(createProject(db, { name: 'team', ownerId: team.userId, public: true }, 'system')).rejects.toMatchObject({ status: 409 })
    await deleteProject(db, team.projectId, 'user:1')
    await expect(deleteProject(db, team.projectId, 'user:1')).rejects.toMatchObject({ status: 404 })
    expect(await findProjectByName(db, 'team')).toBeUndefined()
    const again = await createProject(db, { name: 'team', ownerId: team.userId, public: true }, 'system')
    expect(again.id).not.toBe(team.projectId)

    const first = await createUser(db, { username: 'Ann', email: 'ann@example.com' }, 'system')
    await expect(createUser(db, { username: 'ANN' }, 'system')).rejects.toMatchObject({ status: 409 })
    await expect(createUser(db, { username: 'other', email: 'Ann@example.com' }, 'system')).rejects.toMatchObject({ status: 409 })
    expect((await findUserByUsername(db, 'ann'))?.id).toBe(first.id)
    await deleteUser(db, first.id, 'user:1')
    expect(await firstAdministrator(db)).toBe(team.userId)
    expect(await principalFacts(db, `user:${first.id}`)).toBeUndefined()
    const second = await createUser(db, { username: 'ann', email: 'ann@example.com' }, 'system')
    expect(second.id).not.toBe(first.id)
    expect((await listUsers(db, { username: 'AN' }, listing)).items.map((user) => user.id)).toEqual([second.id])
  })

  it('a change is told once, and none when nothing changes', async () => {
    const { db } = held
    const user = await createUser(db, { username: 'ann' }, 'system')
    const from = await headOfChanges(db)
    for (let i = 0; i < 2; i++) {
      await updateProject(db, team.projectId, { public: true, metadata: { auto_scan: 'true', severity: null } }, 'user:1')
      await updateUser(db, user.id, { realname: 'Ann' }, 'user:1')
      await setSysadmin(db, user.id, true, 'user:1')
    }
    await setPasswordHash(db, user.id, 'hash', 'user:1')
    expect(await kinds(from)).toEqual([
      'project.updated team',
      `user.updated user:${user.id}`,
      `user.updated user:${user.id}`,
      `user.updated user:${user.id}`,
    ])
    expect((await findUserByUsername(db, 'ann'))?.credentialVersion).toBe(2)
    expect((await findProjectByName(db, 'team'))?.metadata).toEqual({ auto_scan: 'true' })
  })

  it('members come with their names, and go', async () => {
    const { db } = held
    const user = await createUser(db, { username: 'ann' }, 'system')
    const member = { projectId: team.projectId, kind: 'user', subjectId: user.id, role: ROLES.guest } as const
    const from = await headOfChanges(db)
    const id = await addMember(db, member, 'user:1')
    await expect(addMember(db, member, 'user:1')).rejects.toMatchObject({ status: 409 })
    await setMemberRole(db, team.projectId, id, ROLES.maintainer, 'user:1')
    await setMemberRole(db, team.projectId, id, ROLES.maintainer, 'user:1')
    expect(await findMember(db, team.projectId, id)).toEqual({ ...member, id, role: ROLES.maintainer, name: 'ann' })
    expect(await findMember(db, team.projectId + 1, id)).toBeUndefined()
    expect(await listMembers(db, team.projectId, { name: 'nn' }, listing)).toMatchObject({ items: [{ name: 'ann' }], total: 1 })
    await removeMember(db, team.projectId, id, 'user:1')
    await expect(removeMember(db, team.projectId, id, 'user:1')).rejects.toMatchObject({ status: 404 })
    expect(await kinds(from)).toEqual(['created', 'updated', 'deleted'].map((what) => `member.${what} user:${user.id}`))
  })

  it('robots are known by their project, and end with it', async () => {
    const { db } = held
    const permissions = [{ scope: { projectId: team.projectId }, resource: 'repository', action: 'pull' }]
    const asked = { name: 'ci', secretHash: 'h', duration: -1, permissions, creator: 'user:1' }
    const robot = await createRobot(db, { ...asked, projectId: team.projectId }, 'user:1')
    await createRobot(db, asked, 'user:1')
    await expect(createRobot(db, { ...asked, projectId: team.projectId }, 'user:1')).rejects.toMatchObject({ status: 409 })
    await expect(createRobot(db, asked, 'user:1')).rejects.toMatchObject({ status: 409 })
    expect((await findRobotByName(db, 'ci', 'team'))?.id).toBe(robot.id)
    expect((await findRobotByName(db, 'ci', undefined))?.level).toBe('system')
    expect(await principalFacts(db, `robot:${robot.id}`)).toMatchObject({ name: 'robot$team+ci', enabled: true, permissions })
    await updateRobot(db, robot.id, { disabled: true, expiresAt: 5 }, 'user:1')
    expect(await principalFacts(db, `robot:${robot.id}`)).toMatchObject({ enabled: false, expiresAt: 5 })
    await setRobotSecret(db, robot.id, 'new', 'user:1')
    expect((await findRobotByName(db, 'ci', 'team'))?.secretHash).toBe('new')
    expect((await listRobots(db, { projectId: team.projectId }, listing)).total).toBe(1)
    expect((await listRobots(db, { projectId: null }, listing)).total).toBe(1)
    await deleteProject(db, team.projectId, 'user:1')
    expect(await principalFacts(db, `robot:${robot.id}`)).toBeUndefined()
    await expect(deleteRobot(db, robot.id, 'user:1')).rejects.toMatchObject({ status: 404 })
  })

  it('groups of a user follow his logins', async () => {
    const { db } = held
    const group = await ensureGroup(db, { name: 'devs', type: 3 })
    expect((await ensureGroup(db, { name: 'devs', type: 3 })).id).toBe(group.id)
    const from = await headOfChanges(db)
    for (let i = 0; i < 2; i++) await setGroupsOfUser(db, team.userId, [group.id], 'system')
    expect(await principalFacts(db, `user:${team.userId}`)).toMatchObject({ groups: [group.id], admin: true })
    expect(await kinds(from)).toHaveLength(1)
  })

  it('an endpoint in use cannot be deleted', async () => {
    const { db } = held
    const endpoint = await createEndpoint(db, { name: 'hub', type: 'docker-hub', url: 'https://hub.docker.com' }, 'user:1')
    const { id } = await createProject(db, { name: 'proxy', ownerId: team.userId, public: true, endpointId: endpoint.id }, 'user:1')
    expect((await projectFacts(db, id))?.proxy).toBe(true)
    await expect(deleteEndpoint(db, endpoint.id, 'user:1')).rejects.toMatchObject({ status: 412 })
    const from = await headOfChanges(db)
    await recordEndpointStatus(db, endpoint, 'unhealthy', 'DNS: there is no host.')
    expect(await kinds(from)).toEqual([])
    expect(await findEndpointById(db, endpoint.id)).toMatchObject({ status: 'unhealthy', updatedAt: endpoint.updatedAt })
    await deleteProject(db, id, 'user:1')
    await deleteEndpoint(db, endpoint.id, 'user:1')
  })
})
