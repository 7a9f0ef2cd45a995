import { sql } from 'drizzle-orm'
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { flag, time } from './columns.ts'
import { projects } from './projects.ts'

/** Where a webhook goes. */
export interface WebhookTarget {
  readonly type: 'http' | 'slack' | 'teams'
  readonly address: string
  /** Encrypted by the caller; nothing here can read it. */
  readonly sealedAuthHeader?: string
  readonly skipCertVerify: boolean
  readonly payloadFormat: 'Default' | 'CloudEvents'
}

/** Who is told of what happens in a project. */
export const webhookPolicies = sqliteTable(
  'webhook_policies',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    projectId: integer('project_id')
      .notNull()
      .references(() => projects.id),
    name: text().notNull(),
    description: text().notNull(),
    targets: text({ mode: 'json' }).$type<readonly WebhookTarget[]>().notNull(),
    /** Harbor's names: `PUSH_ARTIFACT`, … */
    events: text({ mode: 'json' }).$type<readonly string[]>().notNull(),
    enabled: flag().notNull(),
    creator: text().notNull(),
    createdAt: time().notNull(),
    updatedAt: time().notNull(),
  },
  (t) => [uniqueIndex('webhook_policies_name').on(t.projectId, t.name), index('webhook_policies_enabled').on(t.id).where(sql`${t.enabled} = 1`)],
)
