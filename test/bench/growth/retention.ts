import { Tenant } from '../../support/tenant.ts'
import { printSeen } from '../table.ts'
import { BIG_PROJECT } from './generate.ts'
import { grownOrigin, type Ran, ranLine, runBeside } from './grown.ts'
import { type Pusher, pusher } from './pusher.ts'

const TAGS = Number(process.env.ATOLL_BENCH_TAGS ?? 100_000)
const BLOBS = Number(process.env.ATOLL_BENCH_BLOBS ?? 5)
const KEPT = 1_000
const NOBODY: Pusher = { beside: (run) => run(), took: () => [] }

/**
 * Retention of a repository of a hundred thousand tags: a dry run that says of each what would become of it, and a run that does it.
 * By environment: ATOLL_BENCH_TAGS (how many), ATOLL_BENCH_BLOBS (what each has that no other has), ATOLL_BENCH_ALONE (nobody pushes meanwhile).
 */
export async function retention(): Promise<void> {
  const amounts = { projects: 20, repositories: 1, artifacts: TAGS, blobsOfAnArtifact: BLOBS, auditEntries: 100, people: 20 }
  await using atoll = await grownOrigin(amounts)
  const tenant = new Tenant(atoll)
  const push = process.env.ATOLL_BENCH_ALONE === undefined ? await pusher(atoll) : NOBODY
  const quiet = await runBeside(atoll, push, after(15))
  const { project_id } = (await (await tenant.call('GET', `/api/v2.0/projects/${BIG_PROJECT}`)).json()) as { project_id: number }
  const pattern = (decoration: string) => [{ kind: 'doublestar', decoration, pattern: '**' }]
  const made = await tenant.call('POST', '/api/v2.0/retentions', {
    algorithm: 'or',
    scope: { level: 'project', ref: project_id },
    trigger: { kind: 'Schedule', settings: { cron: '' } },
    rules: [
      {
        template: 'latestPushedK',
        params: { latestPushedK: KEPT },
        action: 'retain',
        scope_selectors: { repository: pattern('repoMatches') },
        tag_selectors: pattern('matches'),
      },
    ],
  })
  const policy = made.headers.get('location') ?? ''
  const rows: [string, string, string][] = [['pushes by themselves', '', ranLine(quiet)]]
  for (const dry_run of [true, false]) {
    const begun = await tenant.call('POST', `${policy}/executions`, { dry_run })
    const execution = `${begun.headers.get('location')}`
    const ran: Ran = await runBeside(atoll, push, async () => {
      const { status } = (await find(tenant, policy, execution)) ?? {}
      if (status !== undefined && status !== 'InProgress' && status !== 'Succeed') throw new Error(`retention ended as ${status}`)
      return status === 'Succeed'
    })
    const [task] = (await (await tenant.call('GET', `${execution}/tasks`)).json()) as { id: number; total: number; retained: number }[]
    const log = await (await tenant.call('GET', `${execution}/tasks/${task?.id}`)).text()
    const lines = log.split('\n').length - 1
    rows.push([dry_run ? 'dry run' : 'run', '< 60 s', `${ranLine(ran)}; ${task?.retained} of ${task?.total} kept, ${lines} lines of log`])
  }
  printSeen(`Retention of ${TAGS} tags`, rows)
}

async function find(tenant: Tenant, policy: string, execution: string): Promise<{ readonly status: string } | undefined> {
  const list = (await (await tenant.call('GET', `${policy}/executions`)).json()) as { id: number; status: string }[]
  return list.find(({ id }) => execution.endsWith(`/${id}`))
}

function after(seconds: number): () => Promise<boolean> {
  const from = performance.now()
  return async () => performance.now() - from > seconds * 1_000
}
