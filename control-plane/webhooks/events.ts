import { auditEventName, PULL, QUOTA_EXCEEDED, QUOTA_NEAR, REPLICATED, RETAINED } from '../../schema/audit/events.ts'
import type { AuditRow } from '../../schema/audit/read.ts'

/** What webhooks tell of, by Harbor's names. */
export const WEBHOOK_EVENTS = [
  'PUSH_ARTIFACT',
  'PULL_ARTIFACT',
  'DELETE_ARTIFACT',
  'QUOTA_EXCEED',
  'QUOTA_WARNING',
  'REPLICATION',
  'TAG_RETENTION',
] as const
export type WebhookEventType = (typeof WEBHOOK_EVENTS)[number]

/** What is sent by the test button. */
export const TEST_EVENT = 'TEST'

/** What happened, as payloads are made from it. `time` in milliseconds since the epoch. */
export interface WebhookEvent {
  readonly type: WebhookEventType | typeof TEST_EVENT
  readonly time: number
  readonly operator: string
  readonly project: string
  readonly public: boolean
  /** With its project: `team/app`; undefined: it is about no repository. */
  readonly repository?: string
  readonly resources?: readonly { readonly digest: string; readonly tag: string }[]
  /** What else is known of it. */
  readonly more?: Readonly<Record<string, unknown>>
}

const TYPES: Readonly<Record<string, WebhookEventType>> = {
  create_artifact: 'PUSH_ARTIFACT',
  [auditEventName(PULL)]: 'PULL_ARTIFACT',
  delete_artifact: 'DELETE_ARTIFACT',
  [auditEventName(QUOTA_EXCEEDED)]: 'QUOTA_EXCEED',
  [auditEventName(QUOTA_NEAR)]: 'QUOTA_WARNING',
  [auditEventName(REPLICATED)]: 'REPLICATION',
  [auditEventName(RETAINED)]: 'TAG_RETENTION',
}

/** undefined: webhooks do not tell of it. */
export function webhookEventType(row: Pick<AuditRow, 'operation' | 'resourceType'>): WebhookEventType | undefined {
  return TYPES[auditEventName(row)]
}

/** @throws SyntaxError for a row that was not written by this system */
export function webhookEvent(row: AuditRow, type: WebhookEventType, project: { readonly name: string; readonly public: boolean }): WebhookEvent {
  const common = { type, time: row.time, operator: row.username, project: project.name, public: project.public }
  const detail = (row.detail === '' ? {} : JSON.parse(row.detail)) as Readonly<Record<string, unknown>>
  if (row.resourceType !== 'artifact') return { ...common, more: { subject: row.resource, ...detail } }
  const [, repository = row.resource, tag] = /^([^@:]+)(?::([^@]+))?(?:@.*)?$/.exec(row.resource) ?? []
  const digest = String(detail.digest ?? detail.after ?? detail.before ?? '')
  // What is deleted tells of each tag that it had; what has none is called by its digest.
  const had = Array.isArray(detail.tags) && detail.tags.length > 0 ? detail.tags.map(String) : [tag ?? digest]
  return { ...common, repository, resources: had.map((each) => ({ digest, tag: each })) }
}
