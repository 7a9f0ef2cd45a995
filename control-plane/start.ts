import type { BlobStore, CreateHasher } from '../registry/blob-store.ts'
import type { Clock } from '../registry/clock.ts'
import type { LocalRegistry } from '../registry/local.ts'
import type { Log } from '../registry/log.ts'
import type { SenderOptions } from '../runtime/syslog/sender.ts'
import { PURGE_AUDIT } from '../schema/audit/purge-jobs.ts'
import type { Database } from '../schema/database.ts'
import { garbageIndex } from '../schema/garbage.ts'
import { COLLECT_GARBAGE } from '../schema/garbage-jobs.ts'
import { START_PREHEAT } from '../schema/preheat.ts'
import { PLAN_REPLICATION, REPLICATE, START_REPLICATION } from '../schema/replication-jobs.ts'
import { RETAIN } from '../schema/retention-jobs.ts'
import { beThere } from './be-there.ts'
import { followChanges } from './follow.ts'
import { forwardAudit } from './forward-audit.ts'
import { databaseJobs } from './job-store.ts'
import { collectGarbageJobs } from './jobs/collect-garbage.ts'
import { planReplication } from './jobs/plan-replication.ts'
import { purgeAuditJobs } from './jobs/purge-audit.ts'
import { replicate } from './jobs/replicate.ts'
import { retain } from './jobs/retain.ts'
import { startReplication } from './jobs/start-replication.ts'
import {
  EDGES_AT_ONCE,
  PREHEAT_ATTEMPTS,
  PREHEAT_BACKOFF_LIMIT_MS,
  PREHEAT_BACKOFF_MS,
  WEBHOOK_ATTEMPTS,
  WEBHOOK_BACKOFF_LIMIT_MS,
  WEBHOOK_BACKOFF_MS,
  WEBHOOKS_AT_ONCE,
} from './limits.ts'
import { preheatsFor } from './preheat/follow.ts'
import { startPreheatJobs } from './preheat/jobs.ts'
import { warmAtEdge } from './preheat/warm.ts'
import { watchEndpoints } from './replication/health.ts'
import { type EndpointTrust, Sites } from './replication/sites.ts'
import { Speeds } from './replication/speeds.ts'
import type { ReplicationStep } from './replication/steps.ts'
import { dispatchRuns } from './runs/dispatch.ts'
import { followAudit } from './runs/follow-audit.ts'
import { type JobHandler, Scheduler } from './scheduler.ts'
import { followSchedules } from './schedules.ts'
import { type DeliverOptions, deliver } from './webhooks/deliver.ts'
import { webhooksFor } from './webhooks/follow.ts'

export interface ControlPlaneOptions {
  readonly db: Database
  readonly local: LocalRegistry
  /** Where the bytes of `local` are. */
  readonly blobs: BlobStore
  /** How long garbage is kept, in milliseconds: what `local` was opened with. */
  readonly garbageGraceMs: number
  /** Opens what an origin sealed: `secrets.unseal`. */
  readonly unseal: (sealed: string, purpose: string) => Promise<string>
  /** A fetch that trusts what an endpoint's certificate needs. */
  readonly fetchFor: (endpoint: EndpointTrust) => typeof fetch
  readonly createHasher: CreateHasher
  readonly clock: Clock
  readonly log: Log
  /** Names this process among all that take jobs. */
  readonly owner: string
  /** Jobs done at once. */
  readonly concurrency: number
  /** The user who owns projects that a replication makes: the first administrator. */
  readonly projectOwner: number
  /** What is sent to receivers of webhooks goes by this fetch. */
  readonly webhookFetch: DeliverOptions['fetchFor']
  /** A token to pull from a repository: what an edge that is to be warmed is asked with. */
  readonly pullToken: (repository: string) => Promise<string>
  readonly webhooksEnabled: () => Promise<boolean>
  /** Where clients reach this registry: what events name. */
  readonly host: string
  /** Where the audit log is forwarded to; undefined: nowhere. */
  readonly auditReceiver?: SenderOptions | undefined
  /** Hears of each step of a replication once it is done, before the next begins. */
  readonly onStep?: (step: ReplicationStep) => void
  /** In [0, 1): spreads retries. */
  readonly random?: () => number
}

export interface RunningControlPlane {
  /** Ends what runs and gives its jobs back for others to do at once. */
  close(): Promise<void>
}

/** Starts doing jobs and following the feed, in this process. Any number of processes may on one database. */
export function startControlPlane(options: ControlPlaneOptions): RunningControlPlane {
  const { db, clock, log, owner, concurrency, createHasher, random = Math.random } = options
  const sites = new Sites(options)
  const fetch = options.fetchFor({ insecure: false, caCertificate: null, projectId: null })
  const handlers = new Map<string, JobHandler>([
    [START_REPLICATION, startReplication({ db, log })],
    [PLAN_REPLICATION, planReplication({ db, sites, onStep: options.onStep })],
    [REPLICATE, replicate({ db, sites, speeds: new Speeds({ db, clock, log, owner }), createHasher, fetch, clock, log, onStep: options.onStep })],
    [RETAIN, retain({ db, clock })],
    [PURGE_AUDIT, purgeAuditJobs({ db, clock })],
    [START_PREHEAT, startPreheatJobs({ db })],
    [COLLECT_GARBAGE, collectGarbageJobs({ db, blobs: options.blobs, index: garbageIndex(db, options.garbageGraceMs), clock, log })],
  ])
  const scheduler = new Scheduler({ jobs: databaseJobs(db), handlers, owner, concurrency, clock, log, random })
  const following = new AbortController()
  const signal = following.signal
  const receiver = options.auditReceiver
  const followed = Promise.all([
    followChanges({ db, clock, log, signal }),
    followSchedules({ db, clock, log, signal }),
    watchEndpoints({ db, clock, log, signal, fetchFor: options.fetchFor, unseal: options.unseal }),
    beThere({ db, clock, log, signal, owner, concurrency }),
    followAudit({ db, clock, log, signal, consumer: 'webhooks', ...webhooksFor({ db, log, enabled: options.webhooksEnabled }) }),
    followAudit({ db, clock, log, signal, consumer: 'preheat', ...preheatsFor({ db, log }) }),
    dispatchRuns({
      ...{ db, clock, log, signal, owner, random },
      kind: 'webhook',
      atOnce: WEBHOOKS_AT_ONCE,
      attempts: WEBHOOK_ATTEMPTS,
      backoff: { first: WEBHOOK_BACKOFF_MS, most: WEBHOOK_BACKOFF_LIMIT_MS },
      attempt: (task, policyId, signal) =>
        deliver({ db, host: options.host, unseal: options.unseal, fetchFor: options.webhookFetch }, task, policyId, signal),
    }),
    dispatchRuns({
      ...{ db, clock, log, signal, owner, random },
      kind: 'preheat',
      atOnce: EDGES_AT_ONCE,
      attempts: PREHEAT_ATTEMPTS,
      backoff: { first: PREHEAT_BACKOFF_MS, most: PREHEAT_BACKOFF_LIMIT_MS },
      attempt: (task, _, signal) =>
        warmAtEdge({ pullToken: options.pullToken, fetchFor: (trust) => options.fetchFor({ ...trust, projectId: null }) }, task, signal),
    }),
    receiver && forwardAudit({ db, receiver, owner, clock, log, signal }),
  ])
  return {
    close: async () => {
      following.abort(new Error('This process is shutting down.'))
      await Promise.all([scheduler.stop(), followed])
    },
  }
}
