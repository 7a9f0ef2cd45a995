import { type Client, createClient } from '@libsql/client'
import { hashOf } from '../../../schema/audit/chain.ts'
import { NAMED } from '../../../schema/audit/names.ts'

/** How much there is. Of the artifacts a tenth is in one repository, and of the repositories a tenth in one project: the rest is spread evenly. */
export interface Amounts {
  readonly projects: number
  readonly repositories: number
  readonly artifacts: number
  readonly blobsOfAnArtifact: number
  readonly auditEntries: number
  readonly people: number
}

export const FULL: Amounts = {
  projects: 10_000,
  repositories: 100_000,
  artifacts: 1_000_000,
  blobsOfAnArtifact: 5,
  auditEntries: 1_000_000,
  people: 10_000,
}

/** What the big ones are called, and somebody who is no administrator. */
export const BIG_PROJECT = 'big'
export const BIG_REPOSITORY = 'big/app'
export const TENANT = { id: 11, username: 'person-00001' }

export function scaled(factor: number): Amounts {
  const { blobsOfAnArtifact, ...rest } = FULL
  const least = { projects: 20, repositories: 200, artifacts: 2_000, auditEntries: 2_000, people: 20 }
  const amounts = Object.fromEntries(
    Object.entries(rest).map(([name, full]) => [name, Math.max(least[name as keyof typeof least], Math.round(full * factor))]),
  )
  return { blobsOfAnArtifact, ...(amounts as typeof rest) }
}

const ROWS = 5_000
const IMAGE = 'application/vnd.oci.image.manifest.v1+json'
const CONFIG = 'application/vnd.oci.image.config.v1+json'
/** A moment that all times lie behind of. */
const BEGIN = Date.UTC(2026, 0, 1)

/**
 * Fills the database of an origin that does not run. The administrator is there; what is made are other people, projects, repositories, artifacts,
 * tags, blobs, labels, robots and an audit log whose chain holds. Indexes are taken away meanwhile and made again: that is what makes it minutes.
 */
export async function generate(url: string, amounts: Amounts, say: (line: string) => void): Promise<void> {
  const client = createClient({ url, concurrency: 1 })
  try {
    for (const pragma of ['foreign_keys = OFF', 'synchronous = OFF', 'cache_size = -262144', 'temp_store = FILE'])
      await client.execute(`PRAGMA ${pragma}`)
    const { rows: indexes } = await client.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
    for (const { name } of indexes) await client.execute(`DROP INDEX "${name}"`)
    const { rows: triggers } = await client.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    for (const { name } of triggers) await client.execute(`DROP TRIGGER "${name}"`)
    const insert = (table: string, columns: string, rows: Iterable<readonly unknown[]>) => insertAll(client, table, columns, rows, say)
    await insertPeople(insert, amounts)
    await insertContent(insert, amounts)
    await insertAudit(client, insert, amounts)
    // Those who follow the audit log have seen all that.
    await client.execute("UPDATE cursors SET seq = (SELECT max(id) FROM audit_log) WHERE consumer <> 'replication'")
    for (const { sql } of [...indexes, ...triggers]) await client.execute(String(sql))
    say(`${indexes.length} indexes`)
    for (const kind of NAMED) {
      await client.execute(`INSERT OR IGNORE INTO audit_names (kind, name) SELECT DISTINCT '${kind}', ${kind} FROM audit_log WHERE purged = 0`)
    }
    await client.execute('INSERT OR REPLACE INTO audit_named (id, upto) SELECT 1, max(id) FROM audit_log')
    say('names of the audit log')
    await client.execute('ANALYZE')
    await client.execute('PRAGMA wal_checkpoint(TRUNCATE)')
  } finally {
    client.close()
  }
}

type Insert = (table: string, columns: string, rows: Iterable<readonly unknown[]>) => Promise<void>

async function insertAll(
  client: Client,
  table: string,
  columns: string,
  rows: Iterable<readonly unknown[]>,
  say: (line: string) => void,
): Promise<void> {
  const width = columns.split(',').length
  const values = Array.from({ length: width }, (_, at) => `value ->> ${at}`).join(', ')
  const sql = `INSERT INTO ${table} (${columns}) SELECT ${values} FROM json_each(?)`
  let waiting: (readonly unknown[])[] = []
  let total = 0
  const flush = async () => {
    if (waiting.length > 0) await client.execute({ sql, args: [JSON.stringify(waiting)] })
    total += waiting.length
    waiting = []
  }
  for (const row of rows) {
    waiting.push(row)
    if (waiting.length === ROWS) await flush()
  }
  await flush()
  say(`${total} ${table}`)
}

const pad = (n: number) => String(n).padStart(5, '0')

async function insertPeople(insert: Insert, { projects, people }: Amounts): Promise<void> {
  const at = BEGIN
  await insert(
    'users',
    'id, username, email, realname, created_at, updated_at, admin, disabled, credential_version, comment',
    made(people, (n) => [n + 10, `person-${pad(n)}`, `person-${pad(n)}@example.test`, '', at, at, 0, 0, 1, '']),
  )
  await insert(
    'projects',
    'id, name, owner_id, public, storage_limit, storage_used, metadata, created_at, updated_at',
    made(projects, (n) => [n + 10, projectName(n), 1, n % 10 === 0 ? 1 : 0, -1, n * 1_000_003, '{}', at + n, at + n]),
  )
  const member = (n: number) => [n + 10, 'user', (n % people) + 11, (n % 5) + 1, at, at]
  await insert('members', 'project_id, kind, subject_id, role, created_at, updated_at', made(projects, member))
  // Somebody who works in very many places.
  const tenant = made(Math.min(200, projects), (n) => [n + 10, 'user', TENANT.id, 2, at, at])
  await insert(
    'members',
    'project_id, kind, subject_id, role, created_at, updated_at',
    filter(tenant, (row) => (Number(row[0]) - 10) % people !== 0),
  )
  await insert(
    'labels',
    'id, name, color, description, project_id, created_at, updated_at',
    made(projects, (n) => [n, `label-${pad(n)}`, '#00ab9a', '', n % 100 === 0 ? null : (n % projects) + 11, at, at]),
  )
  await insert(
    'robots',
    'id, name, description, level, project_id, secret_hash, duration, permissions, creator, created_at, updated_at, disabled, credential_version',
    made(people, (n) => [
      n,
      `robot-${pad(n)}`,
      '',
      n % 10 ? 'project' : 'system',
      n % 10 ? (n % projects) + 11 : null,
      'x',
      -1,
      '[]',
      'user:1',
      at,
      at,
      0,
      1,
    ]),
  )
}

function projectName(n: number): string {
  return n === 1 ? BIG_PROJECT : `project-${pad(n)}`
}

/** The project of a repository, by number: a tenth of all are in the first. */
function projectOfRepository(n: number, { projects, repositories }: Amounts): number {
  return n <= Math.max(1, repositories / 10) ? 1 : (n % projects) + 1
}

/** The repository of an artifact, by number: a tenth of all are in the first. */
function repositoryOfArtifact(n: number, { artifacts, repositories }: Amounts): number {
  return n <= artifacts / 10 ? 1 : (n % repositories) + 1
}

async function insertContent(insert: Insert, amounts: Amounts): Promise<void> {
  const { repositories, artifacts, blobsOfAnArtifact } = amounts
  const blobs = artifacts * blobsOfAnArtifact
  await insert(
    'repositories',
    'id, project_id, name, listed, description, pull_count, created_at, updated_at',
    made(repositories, (n) => {
      const project = projectOfRepository(n, amounts)
      return [
        n,
        project + 10,
        n === 1 ? BIG_REPOSITORY : `${projectName(project)}/service-${n}`,
        1,
        '',
        (n * 7_919) % 10_007,
        BEGIN + n,
        BEGIN + ((n * 7_919) % 1_000_003),
      ]
    }),
  )
  const digestOfBlob = digests(blobs)
  const digestOfManifest = digests(artifacts)
  await insert(
    'blobs',
    'digest, size, created_at',
    made(blobs, (rank) => [digestOfBlob.byRank(rank - 1), 1_000, BEGIN]),
  )
  await insert(
    'manifest_contents',
    'digest, bytes',
    made(artifacts, (rank) => [digestOfManifest.byRank(rank - 1), '{"schemaVersion":2}']),
  )
  const placeOf = (n: number) => {
    const repository = repositoryOfArtifact(n, amounts)
    return { repository, project: projectOfRepository(repository, amounts) + 10 }
  }
  await insert(
    'manifests',
    'id, repository_id, project_id, digest, media_type, artifact_type, config_media_type, kind, size, total_size, pusher, pushed_at, pulled_at, top, tagged',
    made(artifacts, (n) => {
      const { repository, project } = placeOf(n)
      return [
        n,
        repository,
        project,
        digestOfManifest.of(n - 1),
        IMAGE,
        null,
        CONFIG,
        'IMAGE',
        500,
        1_000_000 + ((n * 31) % 999_983),
        'user:1',
        BEGIN + n * 10,
        BEGIN + ((n * 7_919) % 10_000_019),
        1,
        1,
      ]
    }),
  )
  await insert(
    'tags',
    'id, repository_id, name, digest, pushed_at, version, context, seen',
    made(artifacts, (n) => [n, placeOf(n).repository, `v${n}`, digestOfManifest.of(n - 1), BEGIN + n * 10, dotOf(BEGIN + n * 10), '', '']),
  )
  const references = function* () {
    for (let n = 1; n <= artifacts; n++) {
      const { repository } = placeOf(n)
      for (let position = 0; position < blobsOfAnArtifact; position++) {
        yield [n, repository, position, 'blob', digestOfBlob.of((n - 1) * blobsOfAnArtifact + position), 1_000]
      }
    }
  }
  await insert('manifest_references', 'manifest_id, repository_id, position, kind, digest, size', references())
  const links = function* () {
    for (const n of artifactsByRepository(amounts)) {
      const { repository, project } = placeOf(n)
      for (let position = 0; position < blobsOfAnArtifact; position++) {
        yield [repository, digestOfBlob.of((n - 1) * blobsOfAnArtifact + position), project, 1_000, BEGIN, 1]
      }
    }
  }
  await insert('repository_blobs', 'repository_id, digest, project_id, size, needed_at, counted', links())
  await insert(
    'artifact_labels',
    'manifest_id, label_id',
    made(Math.round(artifacts / 10), (n) => [n * 10, (n % amounts.projects) + 1]),
  )
}

/** In the order of the table's own key, as far as that is cheap to have. */
function* artifactsByRepository(amounts: Amounts): Generator<number> {
  const { artifacts, repositories } = amounts
  const first = Math.floor(artifacts / 10)
  for (let n = 1; n <= first; n++) yield n
  for (let repository = 1; repository <= repositories; repository++) {
    for (let n = repository - 1; n <= artifacts; n += repositories) if (n > first) yield n
  }
}

async function insertAudit(client: Client, insert: Insert, amounts: Amounts): Promise<void> {
  const { rows } = await client.execute('SELECT id, hash FROM audit_log ORDER BY id DESC LIMIT 1')
  let hash = String(rows[0]?.hash ?? '')
  let id = Number(rows[0]?.id ?? 0)
  const entries = function* () {
    for (let n = 1; n <= amounts.auditEntries; n++) {
      const repository = (n % amounts.repositories) + 1
      const project = projectOfRepository(repository, amounts)
      const person = (n % amounts.people) + 1
      const pull = n % 5 !== 0
      const entry = {
        id: ++id,
        time: BEGIN + n * 100,
        actor: `user:${person + 10}`,
        username: `person-${pad(person)}`,
        operation: pull ? 'pull' : n % 50 === 0 ? 'delete' : 'create',
        resourceType: 'artifact',
        resource: `${projectName(project)}/service-${repository}:v${n}`,
        projectId: project + 10,
        address: '10.0.0.1',
        succeeded: true,
        count: 1,
        detail: '',
      }
      hash = hashOf(hash, entry)
      yield [...Object.values({ ...entry, succeeded: 1 }), hash, 0]
    }
  }
  await insert(
    'audit_log',
    'id, time, actor, username, operation, resource_type, resource, project_id, address, succeeded, count, detail, hash, purged',
    entries(),
  )
}

function* made<T>(count: number, row: (n: number) => T): Generator<T> {
  for (let n = 1; n <= count; n++) yield row(n)
}

function* filter<T>(rows: Iterable<T>, wanted: (row: T) => boolean): Generator<T> {
  for (const row of rows) if (wanted(row)) yield row
}

/** As if all had been pushed at one other site. */
function dotOf(time: number): string {
  return `${time.toString(16).padStart(12, '0')}-0000-${'5e'.repeat(8)}`
}

/** Digests that sort by a rank, and are spread over what they belong to as if they were hashes: so that tables ordered by them can be filled in order. */
function digests(count: number): { readonly byRank: (rank: number) => string; readonly of: (n: number) => string } {
  const step = Math.floor(2 ** 52 / count)
  const byRank = (rank: number) => {
    const tail = Math.imul(rank + 1, 2_654_435_761) >>> 0
    return `sha256:${(rank * step).toString(16).padStart(13, '0')}${tail.toString(16).padStart(8, '0').repeat(7).slice(0, 51)}`
  }
  // A prime that divides no such count: every number gets a rank of its own.
  return { byRank, of: (n) => byRank((n * (2_147_483_647 % count)) % count) }
}
