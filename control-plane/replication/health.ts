import PQueue from 'p-queue'
import { type Clock, pause } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import { vendorOf } from '../../registry/remote/index.ts'
import { probe } from '../../registry/remote/probe.ts'
import type { Database } from '../../schema/database.ts'
import { type Endpoint, recordEndpointStatus, takeEndpointsToCheck } from '../../schema/endpoints.ts'
import { ENDPOINT_CHECK_MS, ENDPOINT_CHECK_TIME_MS, ENDPOINTS_AT_ONCE, ENDPOINTS_POLL_MS } from '../limits.ts'
import { expiryOf } from './expiry.ts'
import { endpointCredentials, type SitesOptions } from './sites.ts'

export interface EndpointHealthOptions extends Pick<SitesOptions, 'fetchFor' | 'unseal'> {
  readonly db: Database
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal
}

/** Looks at each endpoint again and again, until the signal, so that its status is what it is. Any number of processes share the work. */
export async function watchEndpoints(options: EndpointHealthOptions): Promise<void> {
  const { db, clock, log, signal } = options
  while (!signal.aborted) {
    try {
      const due = await takeEndpointsToCheck(db, clock.now() - ENDPOINT_CHECK_MS, ENDPOINTS_AT_ONCE)
      const queue = new PQueue({ concurrency: ENDPOINTS_AT_ONCE })
      await Promise.all(due.map((endpoint) => queue.add(() => check(endpoint, options))))
      if (due.length === ENDPOINTS_AT_ONCE) continue
    } catch (error) {
      if (signal.aborted) return
      log.warn({ err: error }, 'It cannot be seen whether endpoints are healthy.')
    }
    await pause(clock, ENDPOINTS_POLL_MS, signal).catch(() => undefined)
  }
}

async function check(endpoint: Endpoint, { db, clock, log, signal, fetchFor, unseal }: EndpointHealthOptions): Promise<void> {
  const expired = expiryOf(endpoint, clock.now())
  if (expired !== undefined) {
    await recordEndpointStatus(db, endpoint, 'unhealthy', expired)
    return
  }
  const result = await probe({
    url: new URL(endpoint.url),
    vendor: vendorOf(endpoint.type),
    fetch: fetchFor(endpoint),
    clock,
    credentials: await endpointCredentials(endpoint, unseal),
    timeMs: ENDPOINT_CHECK_TIME_MS,
    signal,
  })
  const status = result.ok ? 'healthy' : 'unhealthy'
  await recordEndpointStatus(db, endpoint, status, result.ok ? '' : result.message)
  if (status !== endpoint.status) log.info({ endpoint: endpoint.name, ...(!result.ok && { problem: result.message }) }, `The endpoint is ${status}.`)
}
