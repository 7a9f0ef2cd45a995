import { type AnySQLiteColumn, index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core'
import { flag, time } from './columns.ts'
import { projects } from './projects.ts'

export const ENDPOINT_STATUSES = ['unknown', 'healthy', 'unhealthy'] as const

/** Other registries, for proxy caches and replication; Harbor calls them registries. */
export const endpoints = sqliteTable(
  'endpoints',
  {
    id: integer().primaryKey({ autoIncrement: true }),
    name: text().notNull(),
    /** Harbor's name for its kind: `docker-hub`, `docker-registry`, `harbor`, … */
    type: text().notNull(),
    url: text().notNull(),
    description: text().notNull().default(''),
    /** `basic`, `oauth`, `secret`; null: anonymous. */
    credentialType: text('credential_type'),
    accessKey: text('access_key'),
    /** Encrypted by the caller; nothing here can read it. */
    sealedSecret: text('sealed_secret'),
    insecure: flag().notNull().default(false),
    caCertificate: text('ca_certificate'),
    /** What the last look at it showed; `unknown` until there was one. */
    status: text({ enum: ENDPOINT_STATUSES }).notNull().default('unknown'),
    /** What is wrong with it, for a person. */
    statusText: text('status_text').notNull().default(''),
    /** When it was looked at last, or when somebody began to. */
    checkedAt: time('checked_at'),
    /** Jobs that use it at once, over all processes; 0: as many as those do. */
    jobsAtOnce: integer().notNull().default(0),
    /** KiB a second, over all rules that use it; 0 or less: as fast as it goes. */
    speed: integer().notNull().default(0),
    /** The project that it is for alone, whose administrator entered it; null: everybody's, entered by the system's. */
    projectId: integer('project_id').references((): AnySQLiteColumn => projects.id),
    /** Nothing is sent to it or got from it afterwards; null: no end. */
    expiresAt: time('expires_at'),
    createdAt: time().notNull(),
    updatedAt: time().notNull(),
  },
  (t) => [uniqueIndex('endpoints_name').on(t.name), index('endpoints_by_check').on(t.checkedAt), index('endpoints_of_project').on(t.projectId)],
)
