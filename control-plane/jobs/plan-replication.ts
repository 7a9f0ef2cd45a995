import type { Registry } from '../../registry/registry.ts'
import { parseRepositoryName, type RepositoryName, type Tag } from '../../registry/spec/names.ts'
import type { Slice } from '../../registry/spec/pages.ts'
import type { Database } from '../../schema/database.ts'
import type { Job } from '../../schema/jobs.ts'
import { findReplicationPolicy, type ReplicationPolicy } from '../../schema/replication.ts'
import { addTask, executionPlanned, failExecution, findExecution, isInProgress } from '../../schema/replication-executions.ts'
import { type PlanPayload, type ReplicatePayload, replicateJob } from '../../schema/replication-jobs.ts'
import { LIST_PAGE, TAGS_OF_A_TASK } from '../limits.ts'
import { destinationName } from '../replication/destination-name.ts'
import { readFilters } from '../replication/filters.ts'
import type { Sites } from '../replication/sites.ts'
import { describe, type JobHandler } from '../scheduler.ts'

type Resource = Pick<ReplicatePayload, 'repository' | 'tags' | 'operation'>

/** Turns an execution into tasks: some tags of one repository each. */
export function planReplication({ db, sites }: { readonly db: Database; readonly sites: Sites }): JobHandler {
  return {
    async run(job, signal) {
      const { executionId, only } = payloadOf(job)
      const execution = await findExecution(db, executionId)
      if (execution?.status !== 'InProgress') return
      const policy = await findReplicationPolicy(db, execution.policyId)
      if (policy === undefined) return
      // A destination that may not be used any more makes all of it fail, and not each task.
      await sites.of(policy.destinationEndpointId)
      // A plan that was broken off is made again from its beginning. Tasks are added in one order, so the first ones are there.
      let known = execution.total
      const resources = only
        ? [{ repository: only.repository, tags: [only.tag], operation: only.operation }]
        : matching(await source(policy, signal), policy, signal)
      for await (const { repository, tags, operation } of resources) {
        const destination = destinationName(repository, policy.destinationNamespace, policy.destinationReplaceCount)
        const text = `:[${tags.join(',')}]`
        if (known-- > 0) continue
        const task = { resourceType: 'image', source: `${repository}${text}`, destination: `${destination}${text}`, operation }
        await addTask(db, executionId, task, (taskId) =>
          replicateJob({ executionId, policyId: policy.id, taskId, operation, repository, destination, tags }),
        )
        signal.throwIfAborted()
        // Whoever stops an execution stops the tasks that are there, not those to come.
        if (!(await isInProgress(db, executionId))) return
      }
      await executionPlanned(db, executionId)
    },
    async failed(job, error, again) {
      if (again === undefined) await failExecution(db, payloadOf(job).executionId, describe(error))
    },
  }

  async function source(policy: ReplicationPolicy, signal: AbortSignal): Promise<Registry> {
    return (await sites.of(policy.sourceEndpointId)).open(signal, 'system')
  }
}

function payloadOf(job: Job): PlanPayload {
  return job.payload as PlanPayload
}

async function* matching(registry: Registry, policy: ReplicationPolicy, signal: AbortSignal): AsyncGenerator<Resource> {
  const filters = readFilters(policy.filters)
  for await (const repository of names(registry, filters.literalNames)) {
    if (!filters.name(repository)) continue
    let batch: Tag[] = []
    for await (const tag of entries((page) => registry.repository(repository).tags.list(page))) {
      signal.throwIfAborted()
      if (!filters.tag(tag)) continue
      batch.push(tag)
      if (batch.length < TAGS_OF_A_TASK) continue
      yield { repository, tags: batch, operation: 'copy' }
      batch = []
    }
    if (batch.length > 0) yield { repository, tags: batch, operation: 'copy' }
  }
}

async function* names(registry: Registry, literal: readonly string[] | undefined): AsyncGenerator<RepositoryName> {
  if (literal) for (const name of literal) yield parseRepositoryName(name)
  else yield* entries((page) => registry.repositories(page))
}

async function* entries<T extends string>(list: (page: { limit: number; last?: string }) => Promise<Slice<T> | undefined>): AsyncGenerator<T> {
  for (let last: T | undefined; ; ) {
    const slice: Slice<T> | undefined = await list({ limit: LIST_PAGE, ...(last !== undefined && { last }) })
    yield* slice?.items ?? []
    last = slice?.items.at(-1)
    if (slice?.more !== true || last === undefined) return
  }
}
