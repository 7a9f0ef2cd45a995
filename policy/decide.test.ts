import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PROJECT_PERMISSIONS, permissionsMeant, SYSTEM_PERMISSIONS } from './catalogue.ts'
import { decide, decideSystem } from './decide.ts'
import { ANONYMOUS, type Principal, type ProjectFacts, ROLES, type RobotPermission, type RoleId, type Target } from './facts.ts'
import { atLeast } from './roles.ts'

const NOW = Date.parse('2026-01-01T00:00:00Z')

const user = (over: Partial<Principal> = {}): Principal => ({ ...ANONYMOUS, id: 'user:3', kind: 'user', name: 'ada', ...over })
const robot = (permissions: RobotPermission[], over: Partial<Principal> = {}): Principal => ({
  ...ANONYMOUS,
  id: 'robot:9',
  kind: 'robot',
  name: 'robot$team+ci',
  permissions,
  ...over,
})
const edge: Principal = { ...ANONYMOUS, id: 'edge:e1', kind: 'edge', name: 'fra' }
const project = (over: Partial<ProjectFacts> = {}): ProjectFacts => ({ id: 1, name: 'team', public: false, members: [], proxy: false, ...over })
const withRole = (role: RoleId) => project({ members: [{ subject: 'user:3', role }] })

const TARGETS: Target[] = Object.entries(PROJECT_PERMISSIONS).flatMap(([resource, actions]) => actions.map((action) => ({ resource, action })))
const SYSTEM_TARGETS: Target[] = Object.entries(SYSTEM_PERMISSIONS).flatMap(([resource, actions]) => actions.map((action) => ({ resource, action })))

// The whole table, written a second time by hand: L limited guest, G guest, D developer, M maintainer, A project admin, P anybody in a public project.
const TABLE: Record<string, string> = {
  'project:read': 'LGDMA P',
  'project:update': 'MA',
  'project:delete': 'A',
  'metadata:create': 'MA',
  'metadata:read': 'GDMA',
  'metadata:update': 'MA',
  'metadata:delete': 'MA',
  'metadata:list': 'GDMA',
  'member:create': 'MA',
  'member:read': 'GDMA',
  'member:update': 'MA',
  'member:delete': 'MA',
  'member:list': 'GDMA',
  'repository:pull': 'LGDMA P',
  'repository:push': 'DMA',
  'repository:read': 'LGDMA P',
  'repository:update': 'DMA',
  'repository:delete': 'MA',
  'repository:list': 'LGDMA P',
  'artifact:create': 'DMA',
  'artifact:read': 'LGDMA P',
  'artifact:delete': 'MA',
  'artifact:list': 'LGDMA P',
  'artifact-addition:read': 'LGDMA P',
  'artifact-label:create': 'DMA',
  'artifact-label:delete': 'DMA',
  'accessory:list': 'LGDMA P',
  'tag:create': 'DMA',
  'tag:delete': 'MA',
  'tag:list': 'LGDMA P',
  'immutable-tag:create': 'MA',
  'immutable-tag:update': 'MA',
  'immutable-tag:delete': 'MA',
  'immutable-tag:list': 'DMA',
  'tag-retention:create': 'MA',
  'tag-retention:read': 'DMA',
  'tag-retention:update': 'MA',
  'tag-retention:delete': 'MA',
  'tag-retention:list': 'DMA',
  'tag-retention:operate': 'MA',
  'label:create': 'MA',
  'label:read': 'LGDMA P',
  'label:update': 'MA',
  'label:delete': 'MA',
  'label:list': 'LGDMA P',
  'log:list': 'GDMA',
  'quota:read': 'LGDMA',
  'robot:create': 'MA',
  'robot:read': 'GDMA',
  'robot:update': 'MA',
  'robot:delete': 'MA',
  'robot:list': 'GDMA',
  'notification-policy:create': 'MA',
  'notification-policy:read': 'MA',
  'notification-policy:update': 'MA',
  'notification-policy:delete': 'MA',
  'notification-policy:list': 'MA',
  'preheat-policy:create': 'MA',
  'preheat-policy:read': 'MA',
  'preheat-policy:update': 'MA',
  'preheat-policy:delete': 'MA',
  'preheat-policy:list': 'MA',
  'scan:create': 'MA',
  'scan:read': 'LGDMA',
  'scan:stop': 'MA',
  'sbom:create': 'MA',
  'sbom:read': 'LGDMA',
  'sbom:stop': 'MA',
  'scanner:create': 'MA',
  'scanner:read': 'GDMA',
  'export-cve:create': 'MA',
  'export-cve:read': 'MA',
  'export-cve:list': 'MA',
}

const LETTER: Record<RoleId, string> = {
  [ROLES.limitedGuest]: 'L',
  [ROLES.guest]: 'G',
  [ROLES.developer]: 'D',
  [ROLES.maintainer]: 'M',
  [ROLES.projectAdmin]: 'A',
}

describe('each role may do what the table says, and nothing else', () => {
  test('the table names every permission there is', () => {
    expect(Object.keys(TABLE).sort()).toEqual(TARGETS.map(({ resource, action }) => `${resource}:${action}`).sort())
  })

  test.each(TARGETS.map((target) => [`${target.resource}:${target.action}`, target] as const))('%s', (name, target) => {
    const row = TABLE[name] ?? ''
    for (const role of Object.values(ROLES)) {
      const expected = row.includes(LETTER[role])
      expect({ role, allow: decide(user(), target, withRole(role), NOW).allow }).toEqual({ role, allow: expected })
      // The same role by a group, and in a public project at least as much.
      const group = project({ members: [{ subject: 'group:7', role }] })
      expect(decide(user({ groups: [7] }), target, group, NOW).allow).toBe(expected)
      expect(decide(user(), target, { ...withRole(role), public: true }, NOW).allow).toBe(expected || row.includes('P'))
    }
    const open = project({ public: true })
    expect(decide(ANONYMOUS, target, open, NOW)).toMatchObject(row.includes('P') ? { allow: true } : { reason: 'unauthenticated' })
    expect(decide(user(), target, open, NOW)).toMatchObject(row.includes('P') ? { allow: true } : { reason: 'denied' })
    expect(decide(user({ admin: true }), target, project(), NOW).allow).toBe(true)
    expect(decide(edge, target, project(), NOW).allow).toBe(['pull', 'read', 'list'].includes(target.action))
  })

  test('a role holds all that the roles below it hold', () => {
    for (const low of Object.values(ROLES)) {
      for (const high of Object.values(ROLES).filter((role) => atLeast(role, low))) {
        for (const target of TARGETS) {
          if (decide(user(), target, withRole(low), NOW).allow) expect(decide(user(), target, withRole(high), NOW).allow).toBe(true)
        }
      }
    }
  })
})

describe('a stranger cannot tell a private project from a missing one', () => {
  const strangers: [string, Principal][] = [
    ['nobody', ANONYMOUS],
    ['a user without a role', user()],
    ['a member of something else', user({ groups: [8] })],
    ['a robot of another project', robot([{ scope: { projectId: 2 }, resource: '*', action: '*' }])],
    ['a robot of the system', robot([{ scope: { system: true }, resource: '*', action: '*' }])],
    ['a user of the same number as a group that is a member', user({ id: 'user:7' })],
  ]
  const hidden = [
    project(),
    project({ proxy: true }),
    project({ members: [{ subject: 'user:4', role: ROLES.projectAdmin }] }),
    project({ members: [{ subject: 'group:7', role: ROLES.guest }] }),
  ]
  test.each(strangers)('%s', (_, stranger) => {
    for (const target of TARGETS) {
      const missing = decide(stranger, target, undefined, NOW)
      expect(missing.allow).toBe(false)
      for (const facts of hidden) expect(decide(stranger, target, facts, NOW)).toEqual(missing)
    }
  })
})

describe('accounts that are disabled or expired may do nothing', () => {
  const everything: RobotPermission[] = [
    { scope: { allProjects: true }, resource: '*', action: '*' },
    { scope: { system: true }, resource: '*', action: '*' },
  ]
  test.each<[string, Principal]>([
    ['a disabled administrator', user({ admin: true, enabled: false })],
    ['a disabled robot', robot(everything, { enabled: false })],
    ['a robot that expires now', robot(everything, { expiresAt: NOW })],
    ['a robot that expired', robot(everything, { expiresAt: NOW - 1 })],
    ['a revoked edge', { ...edge, enabled: false }],
  ])('%s', (_, principal) => {
    for (const target of TARGETS) {
      for (const facts of [project(), project({ public: true }), undefined]) {
        expect(decide(principal, target, facts, NOW)).toMatchObject({ allow: false, reason: 'unauthenticated' })
      }
    }
    for (const target of SYSTEM_TARGETS) expect(decideSystem(principal, target, NOW)).toMatchObject({ allow: false, reason: 'unauthenticated' })
  })

  test('a robot is told when it expired, and works until then', () => {
    const ci = robot(everything, { expiresAt: NOW })
    expect(decide(ci, { resource: 'repository', action: 'pull' }, project(), NOW)).toMatchObject({
      message: expect.stringContaining('expired at 2026-01-01'),
    })
    expect(decide(ci, { resource: 'repository', action: 'pull' }, project(), NOW - 1).allow).toBe(true)
  })
})

describe('a robot may do just what it was given', () => {
  const anyTarget = fc.constantFrom(...TARGETS)
  test('one permission in one project opens that and nothing else', () => {
    fc.assert(
      fc.property(anyTarget, anyTarget, (given, wanted) => {
        const ci = robot([{ scope: { projectId: 1 }, ...given }])
        const same = given.resource === wanted.resource && given.action === wanted.action
        expect(decide(ci, wanted, project(), NOW).allow).toBe(same)
        expect(decide(ci, wanted, project({ id: 2, name: 'other' }), NOW).allow).toBe(false)
        for (const target of SYSTEM_TARGETS) expect(decideSystem(ci, target, NOW).allow).toBe(false)
      }),
    )
  })

  test('for all projects it holds in each, and a wildcard covers each action', () => {
    fc.assert(
      fc.property(anyTarget, fc.integer({ min: 1 }), (wanted, id) => {
        const all = robot([{ scope: { allProjects: true }, resource: wanted.resource, action: '*' }])
        expect(decide(all, wanted, project({ id }), NOW).allow).toBe(true)
        expect(decide(all, { resource: `${wanted.resource}-x`, action: wanted.action }, project({ id }), NOW).allow).toBe(false)
      }),
    )
  })

  test('what it may do to projects does not reach the system, nor the other way round', () => {
    const system = robot([{ scope: { system: true }, resource: '*', action: '*' }])
    for (const target of SYSTEM_TARGETS) {
      expect(decideSystem(system, target, NOW).allow).toBe(true)
      expect(decideSystem(robot([{ scope: { allProjects: true }, resource: '*', action: '*' }]), target, NOW).allow).toBe(false)
    }
  })
})

test('only administrators and robots with the permission may touch the system', () => {
  for (const target of SYSTEM_TARGETS) {
    expect(decideSystem(ANONYMOUS, target, NOW)).toMatchObject({ reason: 'unauthenticated' })
    expect(decideSystem(user(), target, NOW)).toMatchObject({ reason: 'denied' })
    expect(decideSystem(edge, target, NOW)).toMatchObject({ reason: 'denied' })
    expect(decideSystem(user({ admin: true }), target, NOW).allow).toBe(true)
    expect(decideSystem(robot([{ scope: { system: true }, ...target }]), target, NOW).allow).toBe(true)
  }
})

test('facts whose grace is over are good for what is public, for everybody alike, and for nothing else', () => {
  const people = [ANONYMOUS, user(), user({ admin: true }), robot([{ scope: { allProjects: true }, resource: '*', action: '*' }]), edge]
  for (const target of TARGETS) {
    const isPublicRead = (TABLE[`${target.resource}:${target.action}`] ?? '').includes('P')
    for (const who of people) {
      const closed = { ...withRole(ROLES.projectAdmin), lapsed: true } as const
      expect(decide(who, target, closed, NOW)).toMatchObject({ allow: false, reason: 'unavailable' })
      const open = decide(who, target, { ...closed, public: true }, NOW)
      if (!isPublicRead) expect(open).toMatchObject({ allow: false, reason: 'unavailable' })
      else expect(open).toEqual(decide(who, target, { ...closed, public: true, lapsed: undefined } as never, NOW))
    }
    expect(decide(user({ enabled: false }), target, { ...project({ public: true }), lapsed: true }, NOW)).toMatchObject({ reason: 'unauthenticated' })
  }
})

test('nobody pushes to a proxy cache, and only who could push elsewhere is told why', () => {
  const push = { resource: 'repository', action: 'push' }
  const proxy = { ...withRole(ROLES.developer), proxy: true }
  expect(decide(user(), push, proxy, NOW)).toMatchObject({ reason: 'denied', message: expect.stringContaining('proxy cache') })
  expect(decide(user({ admin: true }), push, proxy, NOW)).toMatchObject({ message: expect.stringContaining('proxy cache') })
  expect(decide(user(), { resource: 'repository', action: 'pull' }, proxy, NOW).allow).toBe(true)
})

test('wildcards mean what the catalogue names, and nothing that every object has', () => {
  expect(permissionsMeant(PROJECT_PERMISSIONS, 'repository', 'pull')).toEqual([{ resource: 'repository', action: 'pull' }])
  expect(permissionsMeant(PROJECT_PERMISSIONS, 'quota', '*')).toEqual([{ resource: 'quota', action: 'read' }])
  expect(permissionsMeant(PROJECT_PERMISSIONS, '*', '*')).toHaveLength(TARGETS.length)
  for (const odd of ['toString', '__proto__', 'constructor', '', 'Repository']) expect(permissionsMeant(PROJECT_PERMISSIONS, odd, '*')).toEqual([])
})
