import type { ChangeKind } from '../change-kinds.ts'

/** What the audit log says of a change. */
export interface AuditEvent {
  /** Harbor's name of a kind of things, or ours where Harbor has none. */
  readonly resourceType: string
  readonly operation: 'create' | 'update' | 'delete'
}

const all = (resourceType: string) => ({
  created: { resourceType, operation: 'create' } as const,
  updated: { resourceType, operation: 'update' } as const,
  deleted: { resourceType, operation: 'delete' } as const,
})
const [project, member, user, robot, registry] = ['project', 'member', 'user', 'robot', 'registry'].map(all) as [All, All, All, All, All]
const [tag, artifact, blob, repository, label] = ['tag', 'artifact', 'blob', 'repository', 'label'].map(all) as [All, All, All, All, All]
const [rule, edge, key, retention, immutable] = ['replication-policy', 'edge', 'signing-key', 'tag-retention', 'immutable-tag'].map(all) as [
  All,
  All,
  All,
  All,
  All,
]
type All = ReturnType<typeof all>

const EVENTS: Readonly<Record<ChangeKind, AuditEvent>> = {
  'project.created': project.created,
  'project.updated': project.updated,
  'project.deleted': project.deleted,
  'member.created': member.created,
  'member.updated': member.updated,
  'member.deleted': member.deleted,
  'user.created': user.created,
  'user.updated': user.updated,
  'user.deleted': user.deleted,
  'robot.created': robot.created,
  'robot.updated': robot.updated,
  'robot.deleted': robot.deleted,
  'endpoint.created': registry.created,
  'endpoint.updated': registry.updated,
  'endpoint.deleted': registry.deleted,
  'tag.set': tag.created,
  'tag.deleted': tag.deleted,
  'manifest.put': artifact.created,
  'manifest.deleted': artifact.deleted,
  'blob.unlinked': blob.deleted,
  'repository.updated': repository.updated,
  'repository.deleted': repository.deleted,
  'replication.policy.created': rule.created,
  'replication.policy.updated': rule.updated,
  'replication.policy.deleted': rule.deleted,
  'edge.enrolled': edge.created,
  'edge.revoked': edge.deleted,
  'edge.drained': edge.updated,
  'edge.undrained': edge.updated,
  'key.created': key.created,
  'key.retired': key.updated,
  'key.deleted': key.deleted,
  'setting.updated': { resourceType: 'configuration', operation: 'update' },
  'retention.created': retention.created,
  'retention.updated': retention.updated,
  'retention.deleted': retention.deleted,
  'immutable-rule.created': immutable.created,
  'immutable-rule.updated': immutable.updated,
  'immutable-rule.deleted': immutable.deleted,
  'label.created': label.created,
  'label.updated': label.updated,
  'label.deleted': label.deleted,
  'artifact.labelled': { resourceType: 'artifact-label', operation: 'create' },
  'artifact.unlabelled': { resourceType: 'artifact-label', operation: 'delete' },
  'audit.purged': { resourceType: 'audit-log', operation: 'delete' },
}

export const auditEventOf = (kind: ChangeKind): AuditEvent => EVENTS[kind]

/** The one event that is no change. */
export const PULL = { resourceType: 'artifact', operation: 'pull' } as const

/** `create_artifact`, `pull_artifact`, … in the order of their letters. */
export const AUDIT_EVENT_TYPES: readonly string[] = [
  ...new Set([...Object.values(EVENTS), PULL].map(({ resourceType, operation }) => `${operation}_${resourceType}`)),
].sort()
