import { type Clock, steady } from '../../registry/clock.ts'
import { purgeAudit } from '../../schema/audit/purge.ts'
import { purgePayload } from '../../schema/audit/purge-jobs.ts'
import type { Database } from '../../schema/database.ts'
import { giveWay } from '../../schema/give-way.ts'
import { renewLease } from '../../schema/jobs.ts'
import { LEASE_MS } from '../limits.ts'
import type { JobHandler } from '../scheduler.ts'

const HOUR_MS = 3_600_000

/** Takes old entries out of the audit log, and says in it how many. */
export function purgeAuditJobs({ db, clock }: { readonly db: Database; readonly clock: Clock }): JobHandler {
  return {
    async run(job, signal) {
      const { retentionHours, events, dryRun } = purgePayload(job)
      const before = clock.now() - retentionHours * HOUR_MS
      const lines: string[] = []
      const say = (text: string) => lines.push(`${new Date(clock.now()).toISOString()} [INFO] ${text}`)
      let purged = 0
      const write = () => renewLease(db, { id: job.id, fence: job.fence }, LEASE_MS, { lines, purged })
      say(`Beginning: ${events.length === 0 ? 'no event is named, so nothing' : events.join(', ')} from before ${new Date(before).toISOString()}.`)
      try {
        let began = steady(clock)
        for await (const gone of purgeAudit(db, { before, dryRun, events, actor: 'system' })) {
          purged = gone
          await write()
          began = await giveWay(clock, began, signal)
        }
        say(`${dryRun ? 'Would have purged' : 'Purged'} ${purged} entries.`)
      } finally {
        await write()
      }
    },
  }
}
