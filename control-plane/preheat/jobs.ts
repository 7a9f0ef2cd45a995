import type { Database } from '../../schema/database.ts'
import { preheatPolicy } from '../../schema/preheat.ts'
import type { JobHandler } from '../scheduler.ts'
import { startPreheat } from './start.ts'

/** Begins a policy when its time has come. */
export function startPreheatJobs({ db }: { readonly db: Database }): JobHandler {
  return {
    async run(job) {
      const { policyId } = job.payload as { readonly policyId: number }
      const policy = await preheatPolicy(db, policyId)
      if (policy?.enabled) await startPreheat(db, policy, { trigger: 'SCHEDULED', key: `preheat-job:${job.id}` })
    },
  }
}
