// Everything that a robot may be allowed to do, by Harbor's names. Roles may hold more (members and robots are managed by people), never something with another name.

export type Catalogue = Readonly<Record<string, readonly string[]>>

const CRUDL = ['create', 'read', 'update', 'delete', 'list'] as const

/** What can be done inside a project. */
export const PROJECT_PERMISSIONS: Catalogue = {
  project: ['read', 'update', 'delete'],
  metadata: [...CRUDL],
  member: [...CRUDL],
  repository: ['pull', 'push', 'read', 'update', 'delete', 'list'],
  artifact: ['create', 'read', 'delete', 'list'],
  'artifact-addition': ['read'],
  'artifact-label': ['create', 'delete'],
  accessory: ['list'],
  tag: ['create', 'delete', 'list'],
  'immutable-tag': ['create', 'update', 'delete', 'list'],
  'tag-retention': ['create', 'read', 'update', 'delete', 'list', 'operate'],
  label: [...CRUDL],
  log: ['list'],
  quota: ['read'],
  robot: [...CRUDL],
  'notification-policy': [...CRUDL],
  'preheat-policy': [...CRUDL],
  scan: ['create', 'read', 'stop'],
  sbom: ['create', 'read', 'stop'],
  scanner: ['create', 'read'],
  'export-cve': ['create', 'read', 'list'],
}

/** What can be done to the system itself. */
export const SYSTEM_PERMISSIONS: Catalogue = {
  'audit-log': ['list'],
  catalog: ['read'],
  configuration: ['read', 'update'],
  'garbage-collection': ['create', 'read', 'update', 'list', 'stop'],
  'jobservice-monitor': ['list', 'stop'],
  label: [...CRUDL],
  'preheat-instance': [...CRUDL],
  project: ['create', 'list'],
  'purge-audit': ['create', 'read', 'update', 'list', 'stop'],
  quota: ['read', 'update', 'list'],
  registry: [...CRUDL],
  replication: ['create', 'read', 'list'],
  'replication-adapter': ['list'],
  'replication-policy': [...CRUDL],
  robot: [...CRUDL],
  'scan-all': ['create', 'read', 'update', 'stop'],
  scanner: [...CRUDL],
  'security-hub': ['read', 'list'],
  'system-volumes': ['read'],
  user: [...CRUDL],
  'user-group': [...CRUDL],
}

/** The (resource, action) pairs that a grant with wildcards stands for; none: there is no such permission. */
export function permissionsMeant(catalogue: Catalogue, resource: string, action: string): { resource: string; action: string }[] {
  const resources = resource === '*' ? Object.keys(catalogue) : [resource]
  return resources.flatMap((name) => {
    const actions = Object.hasOwn(catalogue, name) ? (catalogue[name] ?? []) : []
    return actions.filter((each) => action === '*' || each === action).map((each) => ({ resource: name, action: each }))
  })
}
