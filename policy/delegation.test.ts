import { describe, expect, test } from 'vitest'
import { PROJECT_PERMISSIONS } from './catalogue.ts'
import { decide } from './decide.ts'
import { mayGrant, mayManageRoles } from './delegation.ts'
import { ANONYMOUS, type Principal, type ProjectFacts, ROLES, type RoleId } from './facts.ts'
import { atLeast } from './roles.ts'

const NOW = 1_700_000_000_000
const user = (over: Partial<Principal> = {}): Principal => ({ ...ANONYMOUS, id: 'user:3', kind: 'user', name: 'ada', ...over })
const team = (role?: RoleId, over: Partial<ProjectFacts> = {}): ProjectFacts => ({
  id: 1,
  name: 'team',
  public: false,
  proxy: false,
  members: role === undefined ? [] : [{ subject: 'user:3', role }],
  ...over,
})
const ALL = Object.values(ROLES)

describe('members are managed up to one’s own role', () => {
  test.each(ALL.flatMap((own) => ALL.map((other) => [own, other] as const)))('role %i and somebody of role %i', (own, other) => {
    expect(mayManageRoles(user(), team(own), [other])).toBe(atLeast(own, other))
  })

  test('a maintainer neither makes nor touches an administrator', () => {
    const maintained = team(ROLES.maintainer)
    expect(mayManageRoles(user(), maintained, [ROLES.guest, ROLES.projectAdmin])).toBe(false)
    expect(mayManageRoles(user(), maintained, [ROLES.projectAdmin, ROLES.guest])).toBe(false)
    expect(mayManageRoles(user(), maintained, [ROLES.maintainer, ROLES.guest])).toBe(true)
  })

  test('a system administrator manages all, a robot as whoever could have given it what it has, a stranger none', () => {
    const robot = (resource: string, projectId = 1): Principal => {
      const permissions = [{ scope: { projectId }, resource, action: '*' }]
      return { ...ANONYMOUS, id: 'robot:1', kind: 'robot', permissions }
    }
    expect(mayManageRoles(user({ admin: true }), team(), ALL)).toBe(true)
    for (const limited of [robot('member'), robot('*', 2)]) {
      expect(mayManageRoles(limited, team(), [ROLES.maintainer])).toBe(true)
      expect(mayManageRoles(limited, team(), [ROLES.projectAdmin])).toBe(false)
    }
    for (const full of [robot('*'), robot('project')]) expect(mayManageRoles(full, team(), [ROLES.projectAdmin])).toBe(true)
    expect(mayManageRoles(user(), team(), [ROLES.limitedGuest])).toBe(false)
  })
})

describe('a robot is given no more than its maker holds', () => {
  test('in his own project: exactly what his role may do', () => {
    for (const role of ALL) {
      for (const [resource, actions] of Object.entries(PROJECT_PERMISSIONS)) {
        for (const action of actions) {
          const held = decide(user(), { resource, action }, team(role), NOW).allow
          expect(mayGrant(user(), { scope: { projectId: 1 }, resource, action }, team(role), NOW)).toBe(held)
        }
      }
    }
  })

  test('a wildcard needs all that it stands for', () => {
    const every = { scope: { projectId: 1 }, resource: '*', action: '*' } as const
    expect(mayGrant(user(), every, team(ROLES.projectAdmin), NOW)).toBe(true)
    expect(mayGrant(user(), every, team(ROLES.maintainer), NOW)).toBe(false)
    expect(mayGrant(user(), { ...every, resource: 'repository' }, team(ROLES.developer), NOW)).toBe(false)
  })

  test('not in another project, not in all, not for the system', () => {
    const pull = { resource: 'repository', action: 'pull' }
    const own = team(ROLES.projectAdmin)
    expect(mayGrant(user(), { scope: { projectId: 2 }, ...pull }, own, NOW)).toBe(false)
    expect(mayGrant(user(), { scope: { projectId: 2 }, ...pull }, undefined, NOW)).toBe(false)
    expect(mayGrant(user(), { scope: { allProjects: true }, ...pull }, own, NOW)).toBe(false)
    expect(mayGrant(user(), { scope: { system: true }, resource: 'user', action: 'list' }, own, NOW)).toBe(false)
  })

  test('what everybody may do in a public project is nobody’s to hand on', () => {
    const open = team(undefined, { public: true })
    expect(mayGrant(user(), { scope: { projectId: 1 }, resource: 'repository', action: 'pull' }, open, NOW)).toBe(false)
  })

  test('a robot hands on only what it was given', () => {
    const maker: Principal = {
      ...ANONYMOUS,
      id: 'robot:1',
      kind: 'robot',
      permissions: [
        { scope: { allProjects: true }, resource: 'repository', action: 'pull' },
        { scope: { system: true }, resource: 'robot', action: 'create' },
      ],
    }
    expect(mayGrant(maker, { scope: { allProjects: true }, resource: 'repository', action: 'pull' }, undefined, NOW)).toBe(true)
    expect(mayGrant(maker, { scope: { projectId: 1 }, resource: 'repository', action: 'pull' }, team(), NOW)).toBe(true)
    expect(mayGrant(maker, { scope: { allProjects: true }, resource: 'repository', action: 'push' }, undefined, NOW)).toBe(false)
    expect(mayGrant(maker, { scope: { system: true }, resource: 'robot', action: 'create' }, undefined, NOW)).toBe(true)
    expect(mayGrant(maker, { scope: { system: true }, resource: '*', action: '*' }, undefined, NOW)).toBe(false)
  })

  test('unknown permissions are nobody’s but an administrator’s, and a disabled one has none', () => {
    const odd = { scope: { projectId: 1 }, resource: 'nonsense', action: 'pull' } as const
    expect(mayGrant(user(), odd, team(ROLES.projectAdmin), NOW)).toBe(false)
    expect(mayGrant(user({ admin: true }), { ...odd, resource: 'repository' }, team(), NOW)).toBe(true)
    expect(mayGrant(user({ admin: true, enabled: false }), { ...odd, resource: 'repository' }, team(), NOW)).toBe(false)
  })
})
