import { ROLES, type RoleId, type Target } from './facts.ts'

// What each role may do: one table, read by /v2, /api and edges alike. A row gives a resource's actions to a role and to all above it.

const ORDER: readonly RoleId[] = [ROLES.limitedGuest, ROLES.guest, ROLES.developer, ROLES.maintainer, ROLES.projectAdmin]

const GRANTS: Readonly<Record<RoleId, Readonly<Record<string, readonly string[]>>>> = {
  [ROLES.limitedGuest]: {
    project: ['read'],
    repository: ['pull', 'read', 'list'],
    artifact: ['read', 'list'],
    'artifact-addition': ['read'],
    accessory: ['list'],
    tag: ['list'],
    label: ['read', 'list'],
    scan: ['read'],
    sbom: ['read'],
    quota: ['read'],
  },
  [ROLES.guest]: {
    member: ['read', 'list'],
    log: ['list'],
    metadata: ['read', 'list'],
    robot: ['read', 'list'],
    scanner: ['read'],
  },
  [ROLES.developer]: {
    repository: ['push', 'update'],
    artifact: ['create'],
    tag: ['create'],
    'artifact-label': ['create', 'delete'],
    'immutable-tag': ['list'],
    'tag-retention': ['read', 'list'],
  },
  [ROLES.maintainer]: {
    project: ['update'],
    repository: ['delete'],
    artifact: ['delete'],
    tag: ['delete'],
    metadata: ['create', 'update', 'delete'],
    member: ['create', 'update', 'delete'],
    robot: ['create', 'update', 'delete'],
    label: ['create', 'update', 'delete'],
    scan: ['create', 'stop'],
    sbom: ['create', 'stop'],
    scanner: ['create'],
    'immutable-tag': ['create', 'update', 'delete'],
    'tag-retention': ['create', 'update', 'delete', 'operate'],
    'notification-policy': ['create', 'read', 'update', 'delete', 'list'],
    'preheat-policy': ['create', 'read', 'update', 'delete', 'list'],
    'export-cve': ['create', 'read', 'list'],
  },
  [ROLES.projectAdmin]: { project: ['delete'], customer: ['manage'] },
}

export function roleAllows(role: RoleId, { resource, action }: Target): boolean {
  const reach = ORDER.slice(0, ORDER.indexOf(role) + 1)
  return reach.some((held) => GRANTS[held][resource]?.includes(action) ?? false)
}

/** Whether `role` stands as high as `other` or higher. */
export function atLeast(role: RoleId, other: RoleId): boolean {
  return ORDER.indexOf(role) >= ORDER.indexOf(other)
}

/** The highest of some roles; undefined: there is none. */
export function highestRole(roles: readonly RoleId[]): RoleId | undefined {
  return ORDER.findLast((role) => roles.includes(role))
}

export function isRoleId(value: number): value is RoleId {
  return ORDER.some((role) => role === value)
}
