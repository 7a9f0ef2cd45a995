import { createHash } from 'node:crypto'
import { getTableName } from 'drizzle-orm'
import { toSnakeCase } from 'drizzle-orm/casing'
import { getTableConfig, type SQLiteTable } from 'drizzle-orm/sqlite-core'
import * as tables from '../tables/index.ts'

/** `mirrored`: the standby has the same rows. `local`: of this site alone; a standby keeps its own, or none. */
export type Treatment = 'mirrored' | 'local'

type Exports = typeof tables
const EXPORTS: Exports = { ...tables }
type TableExport = { [Name in keyof Exports]: Exports[Name] extends SQLiteTable ? Name : never }[keyof Exports]

/**
 * What becomes of each table at a standby. A new table does not compile until it is decided here. In the order in which a standby is filled:
 * a blob's row comes before what names it.
 */
export const TREATMENT = {
  users: 'mirrored',
  userGroups: 'mirrored',
  groupUsers: 'mirrored',
  oidcLinks: 'mirrored',
  endpoints: 'mirrored',
  projects: 'mirrored',
  members: 'mirrored',
  robots: 'mirrored',
  labels: 'mirrored',
  immutableRules: 'mirrored',
  retentionPolicies: 'mirrored',
  webhookPolicies: 'mirrored',
  preheatInstances: 'mirrored',
  preheatPolicies: 'mirrored',
  replicationPolicies: 'mirrored',
  deliveries: 'mirrored',
  schedules: 'mirrored',
  settings: 'mirrored',
  signingKeys: 'mirrored',
  edges: 'mirrored',
  edgeEnrolmentTokens: 'mirrored',
  blobs: 'mirrored',
  repositories: 'mirrored',
  repositoryBlobs: 'mirrored',
  manifestContents: 'mirrored',
  manifests: 'mirrored',
  manifestReferences: 'mirrored',
  tags: 'mirrored',
  // As the primary remembers what was deleted, so must whoever follows it.
  deletedTags: 'mirrored',
  artifactLabels: 'mirrored',
  auditLog: 'mirrored',
  changes: 'mirrored',
  // So that nothing which follows the feed misses what happened before a promotion, and no edge's pulls are counted twice.
  cursors: 'mirrored',
  pulls: 'mirrored',
  pullSpools: 'mirrored',
  // A standby that takes over writes them down anew.
  auditNames: 'local',
  auditNamed: 'local',
  // Work under way, and the record of work done, belong to the site that does it.
  jobs: 'local',
  lanePauses: 'local',
  transfers: 'local',
  uploads: 'local',
  guesses: 'local',
  knownAddresses: 'local',
  leases: 'local',
  workerPools: 'local',
  runs: 'local',
  runTasks: 'local',
  replicationExecutions: 'local',
  replicationTasks: 'local',
  retentionExecutions: 'local',
  retentionTasks: 'local',
  // Cookies are of one host, and bound to it by its own key.
  sessions: 'local',
  // Its own name in the versions of tags: two sites that made them under one would be taken for one.
  thisSite: 'local',
  sitePair: 'local',
  mirrorLog: 'local',
  mirrorOwed: 'local',
} as const satisfies Record<TableExport, Treatment>

/** Columns that change without anybody depending on them: a row is not sent again for these. It is sent whole when another changes. */
const QUIET: Readonly<Record<string, readonly string[]>> = {
  edges: ['last_seen_at', 'cursor', 'stats', 'version'],
  endpoints: ['status', 'status_text', 'checked_at'],
}

export interface MirroredTable {
  readonly name: string
  readonly columns: readonly string[]
  readonly key: readonly string[]
  /** Columns of bytes, which travel in hexadecimal. */
  readonly bytes: ReadonlySet<string>
  readonly quiet: readonly string[]
}

/** In the order in which a standby is filled. */
export const MIRRORED: readonly MirroredTable[] = namesOf('mirrored').map((name) => describe(EXPORTS[name]))

/** What a site forgets when it becomes a standby; its pair is not among it. */
export const FORGOTTEN: readonly string[] = namesOf('local')
  .filter((name) => name !== 'sitePair')
  .map((name) => getTableName(EXPORTS[name]))

const BY_NAME = new Map(MIRRORED.map((table) => [table.name, table]))

/** What is mirrored, table by table and column by column, as a hash: two sites that differ in it run different versions. */
export function tablesInShort(): string {
  return createHash('sha256')
    .update(JSON.stringify(MIRRORED.map(({ name, columns }) => [name, columns])))
    .digest('base64url')
}

export function mirroredTable(name: string): MirroredTable | undefined {
  return BY_NAME.get(name)
}

function namesOf(treatment: Treatment): TableExport[] {
  return (Object.keys(TREATMENT) as TableExport[]).filter((name) => TREATMENT[name] === treatment)
}

function describe(table: SQLiteTable): MirroredTable {
  const { name, columns, primaryKeys } = getTableConfig(table)
  const composite = primaryKeys[0]?.columns.map(columnName)
  const key = composite ?? columns.filter((column) => column.primary).map(columnName)
  if (key.length === 0) throw new TypeError(`${name} has no primary key, and cannot be mirrored.`)
  return {
    name,
    columns: columns.map(columnName),
    key,
    bytes: new Set(columns.filter((column) => column.getSQLType() === 'blob').map(columnName)),
    quiet: QUIET[name] ?? [],
  }
}

/** As the database knows it. */
function columnName({ name, keyAsName }: { readonly name: string; readonly keyAsName: boolean }): string {
  return keyAsName ? toSnakeCase(name) : name
}
