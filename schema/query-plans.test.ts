import { type Client, createClient } from '@libsql/client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseDigest } from '../registry/spec/digests.ts'
import { parseRepositoryName, parseTag } from '../registry/spec/names.ts'
import { seed, temporaryDatabase } from '../test/support/database.ts'
import { accessoriesOf, listAccessories, parentsOf } from './accessories.ts'
import { contentsOf, partsOf } from './artifact-parts.ts'
import { findArtifact, listArtifacts, listParents, listTagRows } from './artifacts.ts'
import { purgeAudit } from './audit/purge.ts'
import { listAudit, readAudit } from './audit/read.ts'
import { headOfChanges, readChanges } from './changes.ts'
import type { Database } from './database.ts'
import { findEdgeById, forgetEnrolmentTokensBefore, listEdges } from './edges.ts'
import { immutability, listImmutableRules } from './immutable-rules.ts'
import { dropEndedJobs, failJob, finishJob, leaseJob, nextRunAt, renewLease } from './jobs.ts'
import { labelsOf, listLabels } from './labels.ts'
import { listMembers } from './members.ts'
import { listUploadsBefore, withoutUpload } from './metadata/uploads.ts'
import { metadataStore } from './metadata-store.ts'
import { findProjectByName, listProjects, projectFacts } from './projects.ts'
import { forgetPullsBefore, recordPulls, takeSpooledPulls } from './pulls.ts'
import { forgetExecutionsBefore, listExecutions } from './replication-executions.ts'
import { listTasks } from './replication-tasks.ts'
import { deleteRepository, findRepositorySummary, listRepositorySummaries } from './repositories.ts'
import { forgetRetentionsBefore } from './retention.ts'
import { findRobotByName } from './robots.ts'
import { forgetTransfersBefore } from './transfers.ts'
import { findUserByUsername } from './users.ts'

const digest = parseDigest(`sha256:${'a'.repeat(64)}`)
const app = parseRepositoryName('team/app')
const latest = parseTag('latest')
const pull = { subject: 'user:1', repository: app, digest, tag: latest, count: 1, first: 1, last: 1 }
const page = { limit: 10, last: 'a' }
const listing = { page: 1, pageSize: 10 }

/** Every statement that goes to the database while `run` runs. */
async function statements(run: () => Promise<unknown>, client: Client): Promise<Set<string>> {
  const seen = new Set<string>()
  const prototype = Object.getPrototypeOf(client)
  const transaction = await client.transaction('read')
  const transactions = Object.getPrototypeOf(transaction)
  transaction.close()
  const restore = [prototype, transactions].map((owner) => {
    const original = owner.execute
    owner.execute = function (statement: string | { sql: string }, ...rest: unknown[]) {
      seen.add(typeof statement === 'string' ? statement : statement.sql)
      return original.call(this, statement, ...rest)
    }
    return () => {
      owner.execute = original
    }
  })
  try {
    await run()
  } finally {
    for (const undo of restore) undo()
  }
  return seen
}

/** What would be read from beginning to end: a table's rows, without even an index that has them in order. */
async function scans(client: Client, sql: string): Promise<string[]> {
  if (!/^\s*(select|insert|update|delete)/i.test(sql)) return []
  const { rows } = await client.execute({ sql: `EXPLAIN QUERY PLAN ${sql}`, args: Array(sql.split('?').length - 1).fill(null) })
  return rows
    .map((row) => String(row.detail))
    .filter((detail) => /^SCAN (?!json_each|sqlite_sequence|CONSTANT|\(|.* USING (COVERING )?INDEX)/.test(detail))
}

/** Questions asked at every request, or over what grows without bound. */
const questions = (db: Database): Record<string, () => Promise<unknown>> => {
  const store = metadataStore(db)
  const manifest = {
    descriptor: { mediaType: 'application/x', digest, size: 2 },
    bytes: new Uint8Array([1, 2]),
    parsed: {
      mediaType: 'application/x',
      blobs: [{ mediaType: 'x', digest, size: 1 }],
      manifests: [],
      subject: { mediaType: 'x', digest, size: 1 },
    },
    tags: [latest],
  }
  return {
    'put a manifest': () => store.putManifest(app, manifest, 'user:1'),
    'link a blob': () => store.linkBlob(app, { digest, size: 1 }, { known: false, at: db.clock.now() }, 'user:1'),
    'read a manifest': () => store.getManifest(app, { tag: latest }),
    'stat a manifest': () => store.statManifest(app, { digest }),
    'reserve a blob': () => store.reserveBlob(digest),
    'mount a blob': () => store.mountBlob(app, digest, app, 'user:1'),
    'stat a blob': () => store.statBlob(app, digest),
    'list tags': () => store.listTags(app, page),
    'list referrers': () => store.listReferrers(app, digest, { page }),
    'list referrers of a type': () => store.listReferrers(app, digest, { page, artifactType: 'x' }),
    'list repositories': () => store.repositories(page),
    'who has a blob': () => store.repositoriesWithBlob(digest, 5),
    'begin an upload': () => store.createUpload(app, { id: 'u', algorithm: 'sha256' }, 'user:1'),
    'find an upload': () => store.findUpload(app, 'u'),
    'end an upload': () => store.deleteUpload(app, 'u'),
    'facts of a project': () => projectFacts(db, 'team'),
    'facts of a project by id': () => projectFacts(db, 1),
    'find a project': () => findProjectByName(db, 'team'),
    'projects of a member': () => listProjects(db, { memberOf: { userId: 1, groups: [1, 2] } }, listing),
    'projects that one may see': () => listProjects(db, { visibleTo: { userId: 1, groups: [1] }, name: 'x' }, listing),
    'members of a project': () => listMembers(db, 1, {}, listing),
    'find a user': () => findUserByUsername(db, 'ADMIN'),
    'find a robot of a project': () => findRobotByName(db, 'ci', 'team'),
    'find a robot of the system': () => findRobotByName(db, 'ci', undefined),
    'repositories of a project': () => listRepositorySummaries(db, { projectId: 1 }, listing),
    'find a repository': () => findRepositorySummary(db, app),
    'what may not move': () => immutability(db.read, { projectId: 1, name: app }),
    'rules of a project': () => listImmutableRules(db, 1, listing),
    'artifacts of a repository': () => listArtifacts(db, { repositoryId: 1 }, { top: true, tagged: true }, listing),
    'artifacts of a project': () => listArtifacts(db, { projectId: 1 }, { top: true, latest: true, labels: { match: 'all', ids: [1, 2] } }, listing),
    'parts of artifacts': () => Promise.all([partsOf(db, [1]), contentsOf(db, [digest]), labelsOf(db, [1])]),
    'what belongs to artifacts': () =>
      Promise.all([listAccessories(db, 1, digest, listing), accessoriesOf(db, 1, [digest]), parentsOf(db, 1, [digest])]),
    'the audit log of a project': () => listAudit(db, { projectIds: [1], username: { exact: 'x' }, from: 1, to: 2 }, listing),
    'the audit log from a place': () => readAudit(db, 5, 10),
    'purge the audit log': () => Array.fromAsync(purgeAudit(db, { before: db.clock.now() + 1, dryRun: false })),
    'labels of a project': () => listLabels(db, { projectId: 1, name: 'x' }, listing),
    'labels of the system': () => listLabels(db, { projectId: null, name: 'x' }, listing),
    'find an artifact': () => findArtifact(db, app, { tag: latest }),
    'tags of an artifact': () => listTagRows(db, 1, { digest }, listing),
    'parents of a manifest': () => listParents(db, app, digest),
    'count pulls': () => recordPulls(db, [pull]),
    'take pulls of an edge': () => takeSpooledPulls(db, 'e', { spool: 's', number: 1, pulls: [pull], lost: 0 }),
    'abandoned uploads': () => listUploadsBefore(db, 5, 10),
    'drafts that are no upload': () => withoutUpload(db, ['a']),
    'forget old runs': () => Promise.all([forgetExecutionsBefore(db, 5, 10), forgetRetentionsBefore(db, 5, 10)]),
    'forget old tokens': () => forgetEnrolmentTokensBefore(db, 5, 10),
    'forget old transfers': () => forgetTransfersBefore(db, 5, 10),
    'forget old jobs': () => dropEndedJobs(db, 5, 10),
    'forget old pulls': () => forgetPullsBefore(db, 5, 10),
    'read the feed': () => readChanges(db, 5, 10),
    'read the feed of a project': () => readChanges(db, 5, 10, { projectId: 1 }),
    'head of the feed': () => headOfChanges(db),
    'find an edge': () => findEdgeById(db, 'e'),
    'list edges': () => listEdges(db, { limit: 5, last: { name: 'a', id: 'b' } }),
    'lease a job': async () => {
      await db.write(({ sql }) =>
        sql.run("INSERT INTO jobs (kind, payload, state, run_at, max_attempts, created_at, updated_at) VALUES ('k', '{}', 'queued', 0, 9, 0, 0)"),
      )
      const job = await leaseJob(db, { kinds: ['k', 'l'], owner: 'me', leaseMs: 1000 })
      if (job === undefined) throw new RangeError('no job')
      await renewLease(db, job, 1000)
      await failJob(db, job, { error: 'x', delayMs: () => 0 })
      await finishJob(db, job)
    },
    'when the next job runs': () => nextRunAt(db, ['k']),
    'executions of a rule': () => listExecutions(db, { policyId: 1 }, listing),
    'tasks of an execution': () => listTasks(db, 1, {}, listing),
    untag: () => store.deleteTag(app, latest, 'user:1'),
    'unlink a blob': () => store.unlinkBlob(app, digest, 'user:1'),
    'delete a manifest': () => store.deleteManifest(app, digest, 'user:1'),
    'delete a repository': () => deleteRepository(db, app, 'user:1'),
  }
}

describe('no hot question reads a whole table', () => {
  it('whatever is asked', async () => {
    await using held = await temporaryDatabase()
    await seed(held.db)
    const client = createClient({ url: held.url })
    onTestFinished(() => client.close())
    const found: Record<string, string[]> = {}
    let asked = 0
    for (const [question, ask] of Object.entries(questions(held.db))) {
      const seen = await statements(ask, client)
      asked += seen.size
      for (const sql of seen) {
        const bad = await scans(client, sql)
        if (bad.length > 0) found[question] = [...(found[question] ?? []), sql, ...bad]
      }
    }
    expect(asked).toBeGreaterThan(60)
    expect(found).toEqual({})
  })

  it('and one that did would be found', async () => {
    await using held = await temporaryDatabase()
    const client = createClient({ url: held.url })
    onTestFinished(() => client.close())
    expect(await scans(client, 'SELECT * FROM tags WHERE digest = ?')).toEqual(['SCAN tags'])
  })
})
