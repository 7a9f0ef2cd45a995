import type { ChangeKind } from '../change-kinds.ts'

/** What the audit log says of a change. */
export interface AuditEvent {
  /** Harbor's name of a kind of things, or ours where Harbor has none. */
  readonly resourceType: string
  readonly operation:
    | 'create'
    | 'update'
    | 'delete'
    | 'pull'
    | 'finish'
    | 'near'
    | 'exceed'
    | 'start'
    | 'stop'
    | 'refuse'
    | 'login'
    | 'logout'
    | 'conflict'
}

const all = (resourceType: string) => ({
  created: { resourceType, operation: 'create' } as const,
  updated: { resourceType, operation: 'update' } as const,
  deleted: { resourceType, operation: 'delete' } as const,
})
const project = all('project')
const member = all('member')
const user = all('user')
const robot = all('robot')
const registry = all('registry')
const tag = all('tag')
const artifact = all('artifact')
const blob = all('blob')
const repository = all('repository')
const label = all('label')
const rule = all('replication-policy')
const edge = all('edge')
const key = all('signing-key')
const retention = all('tag-retention')
const immutable = all('immutable-tag')
const webhook = all('webhook')
const instance = all('preheat-instance')
const preheat = all('preheat-policy')
const group = all('user-group')

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
  'tag.version': tag.updated,
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
  'edge.moved': edge.updated,
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
  'group.created': group.created,
  'group.updated': group.updated,
  'group.deleted': group.deleted,
  'webhook.created': webhook.created,
  'webhook.updated': webhook.updated,
  'webhook.deleted': webhook.deleted,
  'preheat.instance.created': instance.created,
  'preheat.instance.updated': instance.updated,
  'preheat.instance.deleted': instance.deleted,
  'preheat.policy.created': preheat.created,
  'preheat.policy.updated': preheat.updated,
  'preheat.policy.deleted': preheat.deleted,
  'site.paired': { resourceType: 'site', operation: 'create' },
  'site.promoted': { resourceType: 'site', operation: 'update' },
  'site.parted': { resourceType: 'site', operation: 'delete' },
  'audit.purged': { resourceType: 'audit-log', operation: 'delete' },
}

export const auditEventOf = (kind: ChangeKind): AuditEvent => EVENTS[kind]

/** What is no change, and told all the same. */
export const PULL = { resourceType: 'artifact', operation: 'pull' } as const
export const REPLICATED = { resourceType: 'replication', operation: 'finish' } as const
/** A tag was set at two sites that did not know of each other's. */
export const CONFLICT = { resourceType: 'tag', operation: 'conflict' } as const
export const RETAINED = { resourceType: 'tag-retention', operation: 'finish' } as const
/** A project has used most of its quota, or was refused more. */
export const QUOTA_NEAR = { resourceType: 'quota', operation: 'near' } as const
export const QUOTA_EXCEEDED = { resourceType: 'quota', operation: 'exceed' } as const

/** Who begins and ends a session, and with what secret it was tried in vain. */
export const LOGGED_IN = { resourceType: 'user', operation: 'login' } as const
export const LOGGED_OUT = { resourceType: 'user', operation: 'logout' } as const

/** Jobs that somebody begins or stops, what comes by itself, and what somebody may not. */
export const JOB_STARTED = { resourceType: 'job', operation: 'start' } as const
export const JOB_STOPPED = { resourceType: 'job', operation: 'stop' } as const
export const SCHEDULE_CHANGED = { resourceType: 'schedule', operation: 'update' } as const
export const REFUSED = { resourceType: 'request', operation: 'refuse' } as const

export const auditEventName = ({ resourceType, operation }: { readonly resourceType: string; readonly operation: string }) =>
  `${operation}_${resourceType}`

/** `create_artifact`, `pull_artifact`, … in the order of their letters. */
export const AUDIT_EVENT_TYPES: readonly string[] = [
  ...new Set(
    [
      ...Object.values(EVENTS),
      PULL,
      REPLICATED,
      RETAINED,
      QUOTA_NEAR,
      QUOTA_EXCEEDED,
      LOGGED_IN,
      LOGGED_OUT,
      JOB_STARTED,
      JOB_STOPPED,
      SCHEDULE_CHANGED,
      REFUSED,
      CONFLICT,
    ].map(auditEventName),
  ),
].sort()
