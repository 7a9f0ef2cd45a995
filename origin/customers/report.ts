import PQueue from 'p-queue'
import type { Repository } from '../../registry/registry.ts'
import { RemoteRegistry, vendorOf } from '../../registry/remote/index.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { parseRepositoryName, parseTag } from '../../registry/spec/names.ts'
import type { Database } from '../../schema/database.ts'
import { type Delivery, listDeliveries } from '../../schema/deliveries.ts'
import type { Endpoint } from '../../schema/endpoints.ts'
import { endpointCredentials, type FetchFor } from '../proxy-caches.ts'
import type { OriginServices } from '../services.ts'

/** Tags read and asked for at once, and requests to the destination at once. */
const PAGE = 200
const ASKED_AT_ONCE = 8

/** What a customer has: one tag. */
export interface ReportLine {
  readonly repository: string
  readonly destination: string
  readonly tag: string
  readonly digest: string
  readonly delivered_at: string
  /** Moved for it. */
  readonly bytes: number
  /** same: it is still so. changed: the tag names something else there. gone: there is none. unknown: see `why`. unasked: nobody wanted to know. */
  readonly now: 'same' | 'changed' | 'gone' | 'unknown' | 'unasked'
  /** What the tag names there now, if something else. */
  readonly digest_there?: string
  readonly why?: string
}

export interface ReportOptions extends Pick<OriginServices, 'clock' | 'secrets'> {
  readonly db: Database
  readonly fetchFor: FetchFor
  /** Whether the destination is asked. */
  readonly verify: boolean
  readonly signal: AbortSignal
}

/** What was delivered to an endpoint, by repository and tag there, and whether it is still so. */
export async function* report(endpoint: Endpoint, options: ReportOptions): AsyncGenerator<readonly ReportLine[]> {
  const look = options.verify ? await looker(endpoint, options) : async () => ({ now: 'unasked' as const })
  for (let last: Delivery | undefined; ; ) {
    const page = await listDeliveries(options.db, endpoint.id, PAGE, last)
    const queue = new PQueue({ concurrency: ASKED_AT_ONCE })
    yield await Promise.all(page.map((delivery) => queue.add(async () => ({ ...show(delivery), ...(await look(delivery)) }))))
    last = page.at(-1)
    if (page.length < PAGE) return
  }
}

type Found = Pick<ReportLine, 'now' | 'digest_there' | 'why'>

async function looker(endpoint: Endpoint, { clock, secrets, fetchFor, signal }: ReportOptions): Promise<(delivery: Delivery) => Promise<Found>> {
  let remote: RemoteRegistry
  try {
    const credentials = await endpointCredentials(endpoint, secrets)
    const options = { url: new URL(endpoint.url), vendor: vendorOf(endpoint.type), fetch: fetchFor(endpoint), clock, credentials }
    remote = await RemoteRegistry.open({ ...options, limits: { attempts: 1 } }, signal)
  } catch (error) {
    return async () => unknown(error)
  }
  const repositories = new Map<string, Repository>()
  // One that does not answer is not asked ten thousand times.
  let down: Found | undefined
  return async ({ destination, tag, digest }) => {
    if (down !== undefined) return down
    try {
      const name = parseRepositoryName(destination)
      const repository = repositories.get(destination) ?? remote.with(signal).repository(name)
      repositories.set(destination, repository)
      const head = await repository.manifests.stat({ tag: parseTag(tag) })
      if (head === undefined) return { now: 'gone' }
      return head.descriptor.digest === digest ? { now: 'same' } : { now: 'changed', digest_there: head.descriptor.digest }
    } catch (error) {
      signal.throwIfAborted()
      const found = unknown(error)
      if (error instanceof RegistryError && error.code === 'UNAVAILABLE') down = found
      return found
    }
  }
}

function unknown(error: unknown): Found {
  return { now: 'unknown', why: error instanceof RegistryError ? error.message : 'The destination could not be asked.' }
}

function show({ repository, destination, tag, digest, deliveredAt, bytes }: Delivery) {
  return { repository, destination, tag, digest, delivered_at: new Date(deliveredAt).toISOString(), bytes }
}
