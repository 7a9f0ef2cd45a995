import type { CreateHasher } from '../../registry/blob-store.ts'
import type { Clock } from '../../registry/clock.ts'
import { copy } from '../../registry/copy/copy.ts'
import type { DeltaEnds } from '../../registry/copy/delta.ts'
import type { CopyProgress, ResumeStore } from '../../registry/copy/options.ts'
import type { Log } from '../../registry/log.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { Database } from '../../schema/database.ts'
import { forgetDelivery, recordDelivery } from '../../schema/deliveries.ts'
import type { Job } from '../../schema/jobs.ts'
import { layersLike } from '../../schema/layers.ts'
import { findReplicationPolicy, type ReplicationPolicy } from '../../schema/replication.ts'
import { isInProgress, settleExecution, updateTask } from '../../schema/replication-executions.ts'
import type { ReplicatePayload } from '../../schema/replication-jobs.ts'
import { findTransfer, forgetTransfer, rememberTransfer } from '../../schema/transfers.ts'
import { CHUNK_BYTES, DELTA_CANDIDATES } from '../limits.ts'
import type { Site, Sites } from '../replication/sites.ts'
import { TaskLog } from '../replication/task-log.ts'
import { describe, type JobHandler } from '../scheduler.ts'

export interface ReplicateOptions {
  readonly db: Database
  readonly sites: Sites
  readonly createHasher: CreateHasher
  readonly fetch: typeof fetch
  readonly clock: Clock
  readonly log: Log
}

/** Does one task of an execution: copies some tags of a repository to the other site, or deletes them there. */
export function replicate(options: ReplicateOptions): JobHandler {
  const { db, sites, clock } = options
  return {
    async run(job, signal) {
      const payload = payloadOf(job)
      const policy = await findReplicationPolicy(db, payload.policyId)
      if (policy === undefined || !(await isInProgress(db, payload.executionId))) return
      await updateTask(db, payload.taskId, { status: 'InProgress' })
      const log = new TaskLog(options, payload.taskId)
      try {
        const source = await sites.of(policy.sourceEndpointId)
        const destination = await sites.of(policy.destinationEndpointId)
        const title = payload.operation === 'copy' ? 'Copying' : 'Deleting'
        log.line(
          'INFO',
          `${title} ${payload.repository}:[${payload.tags.join(',')}] from ${source.name} as ${payload.destination} at ${destination.name}, attempt ${job.attempts} of ${job.maxAttempts}.`,
        )
        if (payload.operation === 'copy') await copyTags({ ...options, payload, policy, source, destination, task: log, signal })
        else await deleteTags({ db, policy, payload, destination, task: log, signal })
        log.line('INFO', 'Done.')
      } finally {
        await log.flush()
      }
      signal.throwIfAborted()
      await updateTask(db, payload.taskId, { status: 'Succeed' })
      await settleExecution(db, payload.executionId)
    },

    async failed(job, error, again) {
      const { taskId, executionId } = payloadOf(job)
      const log = new TaskLog(options, taskId)
      const status = error instanceof RegistryError ? ` (HTTP ${error.status})` : ''
      log.line('ERROR', `${describe(error)}${status}`)
      if (again === undefined) log.line('ERROR', `Given up after ${job.attempts} ${job.attempts === 1 ? 'attempt' : 'attempts'}. ${advice(error)}`)
      else
        log.line('WARNING', `Will go on in ${Math.ceil(again / 1000)} s, where it was broken off (${new Date(clock.now() + again).toISOString()}).`)
      await log.flush()
      if (again !== undefined) return
      await updateTask(db, taskId, { status: 'Failed' })
      await settleExecution(db, executionId)
    },
  }
}

interface Work {
  readonly payload: ReplicatePayload
  readonly destination: Site
  readonly task: TaskLog
  readonly signal: AbortSignal
}

type CopyWork = Work & ReplicateOptions & { readonly policy: ReplicationPolicy; readonly source: Site }

async function copyTags(work: CopyWork): Promise<void> {
  const { payload, policy, source, destination, task, signal, db, clock, createHasher, fetch } = work
  const actor = `replication:${policy.id}`
  const from = source.open(signal, actor).repository(payload.repository)
  const to = destination.open(signal, actor).repository(payload.destination)
  await destination.prepare(payload.destination, signal)
  for (const tag of payload.tags) {
    const follow = progressInto(task)
    const report = await copy(
      from,
      to,
      { tag },
      {
        createHasher,
        clock,
        fetch: (url, init) => fetch(url, init),
        override: policy.override,
        referrers: true,
        resume: resumeAt(db, destination.key),
        ...deltaBetween(work, actor),
        ...(policy.copyByChunk && { chunkBytes: CHUNK_BYTES }),
        ...(policy.speed > 0 && { bytesPerSecond: policy.speed * 1024 }),
        onProgress: follow,
        signal,
      },
    )
    const { destinationEndpointId: endpointId } = policy
    if (endpointId !== null) {
      const { repository, destination: there } = payload
      await recordDelivery(db, { endpointId, repository, destination: there, tag, digest: report.digest, bytes: report.bytes })
    }
    task.line(
      'INFO',
      `${payload.destination}:${tag} is ${report.digest}: ${report.copied} copied, ${report.skipped} there already, ${report.bytes} bytes moved${report.reused > 0 ? `, ${report.reused} taken from blobs that were there` : ''}.`,
    )
  }
}

async function deleteTags({
  db,
  policy,
  payload,
  destination,
  task,
  signal,
}: Work & { readonly db: Database; readonly policy: ReplicationPolicy }): Promise<void> {
  const { tags } = destination.open(signal, 'system').repository(payload.destination)
  for (const tag of payload.tags) {
    task.line('INFO', (await tags.delete(tag)) ? `${payload.destination}:${tag} is deleted.` : `${payload.destination}:${tag} was not there.`)
    const { destinationEndpointId: endpointId } = policy
    if (endpointId !== null) await forgetDelivery(db, { endpointId, destination: payload.destination, tag })
  }
}

/** Two sites of ours send only what changed inside a blob; what was pushed here last tells with what to compare it. */
function deltaBetween({ db, payload, policy, source, destination, signal }: CopyWork, actor: string): { delta: DeltaEnds } | undefined {
  const ends = { source: source.deltas(payload.repository, signal, actor), destination: destination.deltas(payload.destination, signal, actor) }
  if (ends.source === undefined || ends.destination === undefined) return undefined
  const ours = policy.sourceEndpointId === null ? payload.repository : payload.destination
  return { delta: { source: ends.source, destination: ends.destination, bases: (blob) => layersLike(db, ours, blob, DELTA_CANDIDATES) } }
}

function progressInto(task: TaskLog): (event: CopyProgress) => void {
  const at = new Map<string, number>()
  return (event) => {
    if (event.kind === 'tag') return
    if (event.kind === 'manifest') {
      if (event.step !== 'present') task.line(event.step === 'missing' ? 'WARNING' : 'INFO', `manifest ${event.digest}: ${event.step}`)
      return
    }
    const { digest, step, done, size } = event
    const before = at.get(digest)
    if (before === undefined) task.bytes({ total: size })
    if (done > (before ?? 0)) task.bytes({ done: done - (before ?? 0) })
    at.set(digest, Math.max(done, before ?? 0))
    if (step === 'begin' && done > 0) task.line('INFO', `blob ${digest}: going on at byte ${done} of ${size}`)
    else if (step === 'done' || step === 'mounted') task.line('INFO', `blob ${digest}: ${step}, ${size} bytes`)
  }
}

function resumeAt(db: Database, destination: string): ResumeStore {
  return {
    get: ({ repository, digest }) => findTransfer(db, { destination, repository, digest }),
    put: ({ repository, digest }, id) => rememberTransfer(db, { destination, repository, digest }, id),
    delete: ({ repository, digest }) => forgetTransfer(db, { destination, repository, digest }),
  }
}

function payloadOf(job: Job): ReplicatePayload {
  return job.payload as ReplicatePayload
}

function advice(error: unknown): string {
  if (!(error instanceof RegistryError)) return 'Start the rule again, and tell whoever runs this registry.'
  switch (error.code) {
    case 'DENIED':
    case 'UNAUTHORIZED':
      return 'Look at the credentials of the endpoint and what they may do, or at the rule’s override setting.'
    case 'UNAVAILABLE':
      return 'Look whether the other registry is up and can be reached from here, then start the rule again.'
    case 'MANIFEST_UNKNOWN':
    case 'MANIFEST_BLOB_UNKNOWN':
      return 'The source is not whole: push the artifact there again.'
    default:
      return 'See the message above, then start the rule again.'
  }
}
