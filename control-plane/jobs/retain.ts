import { retained, rulesAbout } from '../../policy/retention.ts'
import { type Clock, steady } from '../../registry/clock.ts'
import type { Digest } from '../../registry/spec/digests.ts'
import { splitProject } from '../../registry/spec/names.ts'
import type { Database } from '../../schema/database.ts'
import { giveWay } from '../../schema/give-way.ts'
import type { Job } from '../../schema/jobs.ts'
import { foreseeRelease, type Outcome, releaseArtifacts } from '../../schema/release-artifacts.ts'
import {
  beginRetentionTask,
  type Candidate,
  endRetention,
  executionOfJob,
  findRetentionExecution,
  findRetentionPolicy,
  finishRetentionTask,
  repositoriesAfter,
  retentionCandidates,
} from '../../schema/retention.ts'
import type { RetainPayload } from '../../schema/retention-jobs.ts'
import { CANDIDATES_PAGE, LIST_PAGE, RELEASE_BATCH } from '../limits.ts'
import type { JobHandler } from '../scheduler.ts'
import { retentionLines } from './retention-log.ts'

export interface RetainOptions {
  readonly db: Database
  readonly clock: Clock
}

/** Who the feed says it was. */
const actorOf = (policyId: number) => `retention:${policyId}`

/** Does a run of a retention policy, repository by repository. One that was broken off goes on with the repository where it was. */
export function retain({ db, clock }: RetainOptions): JobHandler {
  return {
    async run(job, signal) {
      const { policyId } = payloadOf(job)
      const executionId = payloadOf(job).executionId ?? (await executionOfJob(db, policyId, job.id))
      const policy = await findRetentionPolicy(db, policyId)
      const execution = executionId === undefined ? undefined : await findRetentionExecution(db, executionId)
      if (policy === undefined || execution?.status !== 'InProgress') return
      for await (const repository of repositories(policy.projectId)) {
        const rules = rulesAbout(policy.rules, splitProject(repository.name).rest)
        if (rules.length === 0) continue
        const task = await beginRetentionTask(db, execution.id, repository.name)
        if (task === undefined) continue
        const candidates = await candidatesOf(repository.id, signal)
        let matching = steady(clock)
        const rest = async () => {
          matching = await giveWay(clock, matching, signal)
        }
        const kept = await retained(rules, candidates, { now: clock.now(), rest })
        const going = candidates.filter((candidate) => !kept.has(candidate))
        const outcomes = new Map<Digest, Outcome>()
        for (let from = 0; from < going.length; from += RELEASE_BATCH) {
          signal.throwIfAborted()
          const batch = going.slice(from, from + RELEASE_BATCH)
          const began = steady(clock)
          const became = execution.dryRun
            ? await foreseeRelease(db, repository.name, batch)
            : await releaseArtifacts(db, repository.name, batch, actorOf(policyId))
          for (const [digest, outcome] of became) outcomes.set(digest, outcome)
          await giveWay(clock, began, signal)
        }
        const stayed = [...outcomes.values()].filter((outcome) => outcome === 'changed' || outcome === 'immutable').length
        await finishRetentionTask(db, task, {
          total: candidates.length,
          retained: kept.size + stayed,
          log: candidates
            .map((candidate) => retentionLines(candidate, kept.get(candidate), outcomes.get(candidate.digest), execution.dryRun))
            .join(''),
        })
      }
      await endRetention(db, execution.id, 'Succeed')
    },

    async failed(job, _error, again) {
      if (again !== undefined) return
      const { policyId, executionId = await executionOfJob(db, policyId, job.id) } = payloadOf(job)
      if (executionId !== undefined) await endRetention(db, executionId, 'Failed')
    },
  }

  async function* repositories(projectId: number) {
    for (let last = ''; ; ) {
      const page = await repositoriesAfter(db, projectId, last, LIST_PAGE)
      yield* page
      last = page.at(-1)?.name ?? ''
      if (page.length < LIST_PAGE) return
    }
  }

  async function candidatesOf(repositoryId: number, signal: AbortSignal): Promise<readonly Candidate[]> {
    const all: Candidate[] = []
    for (let after = ''; ; ) {
      const began = steady(clock)
      const { items, next } = await retentionCandidates(db, repositoryId, after, CANDIDATES_PAGE)
      all.push(...items)
      if (next === undefined) return all.sort((a, b) => a.pushedAt - b.pushedAt)
      after = next
      await giveWay(clock, began, signal)
    }
  }
}

const payloadOf = (job: Job) => job.payload as RetainPayload
