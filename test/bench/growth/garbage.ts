import { createClient } from '@libsql/client'
import { Tenant } from '../../support/tenant.ts'
import { printSeen } from '../table.ts'
import { grownOrigin, ranLine, runBeside } from './grown.ts'
import { pusher } from './pusher.ts'

const BLOBS = Number(process.env.ATOLL_BENCH_BLOBS ?? 1_000_000)

/** Garbage collection of a million blobs, a tenth of them garbage, while somebody pushes. The bytes themselves were never there: what is measured is the metadata. */
export async function garbage(): Promise<void> {
  const amounts = { projects: 1_000, repositories: 1_000, artifacts: BLOBS / 10, blobsOfAnArtifact: 10, auditEntries: 100, people: 20 }
  await using atoll = await grownOrigin(amounts, {}, forgetATenth)
  const tenant = new Tenant(atoll)
  const push = await pusher(atoll)
  const rows: [string, string, string][] = []
  for (const [what, dry_run] of [
    ['dry run', true],
    ['collection', false],
    ['another, with nothing to delete', false],
  ] as const) {
    const begun = await tenant.call('POST', '/api/v2.0/system/gc/schedule', {
      schedule: { type: 'Manual' },
      parameters: { dry_run, delete_untagged: false },
    })
    const address = begun.headers.get('location') ?? ''
    let last: { readonly job_status: string; readonly job_parameters: string } | undefined
    const ran = await runBeside(atoll, push, async () => {
      last = (await (await tenant.call('GET', address)).json()) as typeof last
      if (last?.job_status === 'Error' || last?.job_status === 'Stopped') throw new Error(`the collection ended as ${last.job_status}`)
      return last?.job_status === 'Success'
    })
    const { purged_blobs, freed_space } = JSON.parse(last?.job_parameters ?? '{}') as Record<string, unknown>
    rows.push([what, 'minutes', `${ranLine(ran)}; ${purged_blobs ?? ''} blobs, ${freed_space ?? ''} bytes`])
  }
  printSeen(`Garbage collection of ${BLOBS} blobs`, rows)
}

/** As if every tenth artifact had been deleted long ago. */
async function forgetATenth(url: string): Promise<void> {
  const client = createClient({ url, concurrency: 1 })
  for (const sql of [
    'PRAGMA foreign_keys = OFF',
    'DELETE FROM tags WHERE id % 10 = 0',
    'DELETE FROM manifest_references WHERE manifest_id % 10 = 0',
    'DELETE FROM manifests WHERE id % 10 = 0',
  ]) {
    await client.execute(sql)
  }
  client.close()
}
