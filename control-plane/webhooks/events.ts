import { z } from 'zod'
import { isRepositoryName, type RepositoryName } from '../../registry/spec/names.ts'
import { auditEventName, PULL, QUOTA_EXCEEDED, QUOTA_NEAR, REPLICATED, RETAINED } from '../../schema/audit/events.ts'
import type { AuditRow } from '../../schema/audit/read.ts'
import type { Database } from '../../schema/database.ts'
import { repositoryCreatedAt } from '../../schema/repositories.ts'
import { type ReplicationEnd, type RetentionEnd, replicationEnd, retentionEnd } from './ends.ts'

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

/** What happened, as payloads are made from it. Times in milliseconds since the epoch. */
export interface WebhookEvent {
  readonly type: WebhookEventType | typeof TEST_EVENT
  readonly time: number
  /** Who did it; of a run, what began it. */
  readonly operator: string
  readonly project: string
  readonly public: boolean
  /** With its project: `team/app`; undefined: it is about no repository. */
  readonly repository?: string | undefined
  /** When the repository was made; undefined: it is gone. */
  readonly createdAt?: number | undefined
  readonly resources?: readonly { readonly digest: string; readonly tag: string }[]
  readonly retention?: RetentionEnd | undefined
  readonly replication?: ReplicationEnd | undefined
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

interface Told {
  readonly db: Database
  readonly type: WebhookEventType
  readonly row: AuditRow
  readonly project: { readonly name: string; readonly public: boolean }
}

/**
 * What a row of the audit log has become news of, with what the log does not hold of it. undefined: it is nobody's news.
 * @throws SyntaxError or z.ZodError for a row that was not written by this system
 */
export async function webhookEvent(told: Told): Promise<WebhookEvent | undefined> {
  const { db, type, row, project } = told
  const common = { type, time: row.time, operator: row.username, project: project.name, public: project.public }
  const facts = await SUBJECTS[type](told)
  if (facts === undefined) return undefined
  const repository = facts.repository !== undefined && isRepositoryName(facts.repository) ? facts.repository : undefined
  return { ...common, ...facts, createdAt: repository && (await repositoryCreatedAt(db, repository)) }
}

type Facts = Pick<WebhookEvent, 'repository' | 'resources' | 'retention' | 'replication' | 'more'> & Partial<Pick<WebhookEvent, 'operator'>>
type Subject = (told: Told) => Facts | undefined | Promise<Facts | undefined>

const SUBJECTS: Readonly<Record<WebhookEventType, Subject>> = {
  PUSH_ARTIFACT: artifact,
  PULL_ARTIFACT: artifact,
  DELETE_ARTIFACT: artifact,
  QUOTA_EXCEED: quota,
  QUOTA_WARNING: quota,
  async REPLICATION({ db, row, project }) {
    const { execution, ...more } = z.looseObject({ execution: z.number() }).parse(detailOf(row))
    const run = await replicationEnd(db, execution, project.name)
    return { ...begun(run), replication: run?.end, more: { ...more, execution } }
  },
  async TAG_RETENTION({ db, row, project }) {
    const { execution, dryRun, ...more } = z.looseObject({ execution: z.number(), dryRun: z.boolean() }).parse(detailOf(row))
    if (dryRun) return undefined
    const run = await retentionEnd(db, execution, project.name)
    // Of what has changed nothing there is no news, but that it failed is.
    if (row.succeeded && run?.end.deleted_artifact.length === 0) return undefined
    return { ...begun(run), retention: run?.end, more: { ...more, execution } }
  },
}

/** Harbor names what began a run as whoever did it. */
const begun = (run: { readonly trigger: string } | undefined) => run && { operator: run.trigger }

function detailOf(row: AuditRow): Readonly<Record<string, unknown>> {
  return (row.detail === '' ? {} : JSON.parse(row.detail)) as Readonly<Record<string, unknown>>
}

function artifact({ row }: Told): Facts {
  const detail = detailOf(row)
  const [, repository = row.resource, tag] = /^([^@:]+)(?::([^@]+))?(?:@.*)?$/.exec(row.resource) ?? []
  const digest = String(detail.digest ?? detail.after ?? detail.before ?? '')
  // What is deleted tells of each tag that it had; what has none is called by its digest.
  const had = Array.isArray(detail.tags) && detail.tags.length > 0 ? detail.tags.map(String) : [tag ?? digest]
  return { repository, resources: had.map((each) => ({ digest, tag: each })) }
}

const Quota = z.object({
  used: z.number(),
  limit: z.number(),
  repository: z.custom<RepositoryName>().optional(),
  digest: z.string().optional(),
  tag: z.string().optional(),
  refusal: z.string().optional(),
})

/** `Details` is Harbor's word for it. */
function quota({ row, project }: Told): Facts {
  const { used, limit, repository, digest, tag = digest, refusal } = Quota.parse(detailOf(row))
  const Details = refusal ?? `The storage of project ${project.name} is ${used} of ${limit} bytes.`
  return { repository, ...(digest !== undefined && tag !== undefined && { resources: [{ digest, tag }] }), more: { Details, used, limit } }
}
