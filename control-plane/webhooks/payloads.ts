import type { WebhookTarget } from '../../schema/webhooks.ts'
import type { WebhookEvent } from './events.ts'

/** A body ready to be sent. */
export interface Payload {
  readonly contentType: string
  readonly body: string
}

/** What the sender knows of itself. */
export interface PayloadContext {
  /** Where clients reach this registry: `registry.example.com`. */
  readonly host: string
  readonly policyId: number
  readonly projectId: number
  /** Unlike any other, and the same when it is sent again. */
  readonly id: string
}

const CLOUD_EVENT_TYPES: Readonly<Record<WebhookEvent['type'], string>> = {
  PUSH_ARTIFACT: 'harbor.artifact.pushed',
  PULL_ARTIFACT: 'harbor.artifact.pulled',
  DELETE_ARTIFACT: 'harbor.artifact.deleted',
  QUOTA_EXCEED: 'harbor.quota.exceeded',
  QUOTA_WARNING: 'harbor.quota.warned',
  REPLICATION: 'harbor.replication.status.changed',
  TAG_RETENTION: 'harbor.tag_retention.finished',
  TEST: 'harbor.test',
}

export function payloadFor(event: WebhookEvent, target: Pick<WebhookTarget, 'type' | 'payloadFormat'>, context: PayloadContext): Payload {
  if (target.type === 'slack') return json(slack(event, context))
  if (target.type === 'teams') return json(teams(event, context))
  return target.payloadFormat === 'CloudEvents' ? json(cloudEvent(event, context), 'application/cloudevents+json') : json(harborEvent(event, context))
}

const json = (value: unknown, contentType = 'application/json'): Payload => ({ contentType, body: JSON.stringify(value) })

/** Harbor's own format; times in seconds since the epoch. */
function harborEvent(event: WebhookEvent, context: PayloadContext) {
  return { type: event.type, occur_at: Math.floor(event.time / 1000), operator: event.operator, event_data: eventData(event, context) }
}

/** The CloudEvents specification, 1.0, in its structured JSON mode. */
function cloudEvent(event: WebhookEvent, context: PayloadContext) {
  return {
    specversion: '1.0',
    id: context.id,
    source: `/projects/${context.projectId}/webhook/policies/${context.policyId}`,
    type: CLOUD_EVENT_TYPES[event.type],
    datacontenttype: 'application/json',
    time: new Date(event.time).toISOString(),
    operator: event.operator,
    data: eventData(event, context),
  }
}

function eventData(event: WebhookEvent, { host }: PayloadContext) {
  const { project, repository, createdAt, resources, retention, replication, public: isPublic, more } = event
  const type = isPublic ? 'public' : 'private'
  const named = repository ?? project
  const harbor_hostname = new URL(`http://${host}`).hostname
  return {
    ...(resources && {
      resources: resources.map(({ digest, tag }) => ({ digest, tag, resource_url: `${host}/${named}${tag === digest ? '@' : ':'}${tag}` })),
    }),
    // A run is about no repository.
    ...(!replication &&
      !retention && {
        repository: {
          ...(createdAt !== undefined && { date_created: Math.floor(createdAt / 1000) }),
          name: repository === undefined ? '' : repository.slice(project.length + 1),
          namespace: project,
          repo_full_name: repository ?? '',
          repo_type: type,
        },
      }),
    ...(retention && { retention: { ...retention, harbor_hostname } }),
    ...(replication && {
      replication: {
        ...{ ...replication, harbor_hostname },
        src_resource: { endpoint: host, ...replication.src_resource },
        dest_resource: { endpoint: host, ...replication.dest_resource },
      },
    }),
    // Harbor's are texts.
    ...(more && { custom_attributes: Object.fromEntries(Object.entries(more).map(([name, value]) => [name, String(value)])) }),
  }
}

function slack(event: WebhookEvent, context: PayloadContext) {
  const lines = factsOf(event, context).map(([name, value]) => `*${name}*: ${escapeSlack(value)}`)
  return {
    text: titleOf(event),
    blocks: [{ type: 'section', text: { type: 'mrkdwn', text: [`*${titleOf(event)}*`, ...lines].join('\n').slice(0, 3_000) } }],
  }
}

/** Slack's three characters of control. */
function escapeSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function teams(event: WebhookEvent, context: PayloadContext) {
  const content = {
    $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
    type: 'AdaptiveCard',
    version: '1.4',
    body: [
      { type: 'TextBlock', weight: 'Bolder', text: titleOf(event) },
      { type: 'FactSet', facts: factsOf(event, context).map(([title, value]) => ({ title, value })) },
    ],
  }
  return { type: 'message', attachments: [{ contentType: 'application/vnd.microsoft.card.adaptive', content }] }
}

const TITLES: Readonly<Record<WebhookEvent['type'], string>> = {
  PUSH_ARTIFACT: 'Pushed',
  PULL_ARTIFACT: 'Pulled',
  DELETE_ARTIFACT: 'Deleted',
  QUOTA_EXCEED: 'Quota exceeded',
  QUOTA_WARNING: 'Quota nearly used up',
  REPLICATION: 'Replication ended',
  TAG_RETENTION: 'Tag retention ended',
  TEST: 'This is a test',
}

function titleOf({ type, project, repository, resources }: WebhookEvent): string {
  const [first] = resources ?? []
  const name = repository === undefined ? project : `${repository}${first === undefined || first.tag === first.digest ? '' : `:${first.tag}`}`
  return `${TITLES[type]}: ${name}`
}

function factsOf({ project, operator, time, resources, more }: WebhookEvent, { host }: PayloadContext): [string, string][] {
  const [first] = resources ?? []
  return [
    ['Project', project],
    ['By', operator],
    ['At', new Date(time).toISOString()],
    ...(first === undefined ? [] : ([['Digest', first.digest]] as [string, string][])),
    ...Object.entries(more ?? {}).map(([name, value]): [string, string] => [name, String(value)]),
    ['Registry', host],
  ]
}
