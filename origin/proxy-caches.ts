import { repositoryRules } from '../mesh/upstream-rules.ts'
import type { BlobStore, CreateHasher } from '../registry/blob-store.ts'
import type { Clock } from '../registry/clock.ts'
import { FillTable } from '../registry/fill/index.ts'
import type { Log } from '../registry/log.ts'
import type { ObjectStore } from '../registry/object-store.ts'
import { SourceCounters } from '../registry/pull-through/counters.ts'
import { leases } from '../registry/pull-through/freshness.ts'
import { leaseTimesOf, parseLeaseRules } from '../registry/pull-through/lease-rules.ts'
import { PullThrough } from '../registry/pull-through.ts'
import type { Registry } from '../registry/registry.ts'
import { type Credentials, type Fetch, RemoteRegistry, vendorOf } from '../registry/remote/index.ts'
import { CreationTimes, type RepositoryRules, ruled } from '../registry/rules/ruled.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import { parseRepositoryName, type RepositoryName, splitProject } from '../registry/spec/names.ts'
import type { Database } from '../schema/database.ts'
import { type Endpoint, findEndpointById } from '../schema/endpoints.ts'
import { findProjectByName } from '../schema/projects.ts'
import type { RecentChanges } from './changes.ts'
import type { Facts } from './identity/facts.ts'
import { tagLeasesOf, upstreamRulesOf } from './project-rules/settings.ts'
import type { Secrets } from './services.ts'

/** A fetch that trusts what this endpoint's certificate needs; for a project's own endpoint, one that reaches what anybody reaches. */
export type FetchFor = (endpoint: Pick<Endpoint, 'insecure' | 'caCertificate' | 'projectId'>) => Fetch

export interface ProxyCachesOptions {
  readonly db: Database
  readonly facts: Facts
  readonly recent: RecentChanges
  readonly secrets: Secrets
  readonly cache: { readonly blobs: BlobStore; readonly records: ObjectStore }
  readonly fetchFor: FetchFor
  readonly createHasher: CreateHasher
  readonly clock: Clock
  readonly log: Log
}

interface OpenProxy {
  readonly pullThrough: PullThrough
  readonly rulesOf: (name: RepositoryName) => RepositoryRules | undefined
}

/** The registries of projects that are proxy caches. One pull-through for each endpoint and project, made when it is first asked for. */
export class ProxyCaches {
  readonly #options: ProxyCachesOptions
  readonly fills: FillTable
  /** What was done for each source, by the name of its endpoint. */
  readonly counters = new SourceCounters()
  readonly #open = new Map<string, Promise<OpenProxy | undefined>>()
  readonly #times = new CreationTimes()

  constructor(options: ProxyCachesOptions) {
    this.#options = options
    const { cache, createHasher, clock, log } = options
    this.fills = new FillTable({ blobs: cache.blobs, createHasher, clock, log })
    options.recent.on((changes) => {
      if (changes === undefined || changes.some(({ kind }) => kind.startsWith('endpoint.'))) this.#open.clear()
      else for (const { kind, subject } of changes) if (kind.startsWith('project.')) this.#open.delete(subject)
    })
  }

  /** undefined: the project is no proxy cache, or there is none of this name. */
  async open(project: string, request: Request): Promise<Registry | undefined> {
    const facts = await this.#options.facts.project(project)
    if (facts?.proxy !== true) return undefined
    const known = this.#open.get(project) ?? this.#make(project)
    this.#open.set(project, known)
    try {
      const proxy = await known
      return proxy && ruled(proxy.pullThrough.with(request.signal), async (name) => proxy.rulesOf(name), this.#times)
    } catch (error) {
      this.#open.delete(project)
      throw error
    }
  }

  async #make(project: string): Promise<OpenProxy | undefined> {
    const { db, cache, createHasher, clock, log } = this.#options
    const found = await findProjectByName(db, project)
    if (found === undefined || found.endpointId === null) return undefined
    const endpoint = await findEndpointById(db, found.endpointId)
    if (endpoint === undefined) return undefined
    const remote = await this.#remote(endpoint)
    const rules = upstreamRulesOf(found)
    const leaseRules = parseLeaseRules(tagLeasesOf(found) ?? '') ?? []
    const pullThrough = new PullThrough({
      source: {
        // With other credentials or another address it is another source: what the old one allowed says nothing of the new one.
        id: `endpoint-${endpoint.id}-${endpoint.updatedAt}`,
        name: endpoint.name,
        with: (signal) => remote.with(signal),
        nameAt: withoutProject,
      },
      counters: this.counters.of(endpoint.name),
      cache,
      fills: this.fills,
      freshness: leases((tag) => leaseTimesOf(leaseRules, tag)),
      createHasher,
      clock,
      log,
    })
    return { pullThrough, rulesOf: (name) => rules && repositoryRules(name, { rules, kind: endpoint.type }, () => clock.now()) }
  }

  async #remote(endpoint: Endpoint): Promise<RemoteRegistry> {
    const { fetchFor, secrets, clock, log } = this.#options
    return await RemoteRegistry.open({
      url: new URL(endpoint.url),
      vendor: vendorOf(endpoint.type),
      fetch: fetchFor(endpoint),
      clock,
      log,
      credentials: await endpointCredentials(endpoint, secrets),
    })
  }
}

/** The name and password that an endpoint is used with; undefined: anonymously. @throws when its secret cannot be unsealed */
export async function endpointCredentials({ id, accessKey, sealedSecret }: Endpoint, secrets: Secrets): Promise<Credentials | undefined> {
  if (accessKey === null || sealedSecret === null) return undefined
  return { username: accessKey, password: await secrets.unseal(sealedSecret, endpointPurpose(id)) }
}

/** What an endpoint's secret is sealed for. */
export function endpointPurpose(id: number): string {
  return `endpoint:${id}`
}

/** `dockerhub-proxy/library/nginx` is `library/nginx` at the upstream. */
function withoutProject(name: RepositoryName): RepositoryName {
  const { rest } = splitProject(name)
  if (rest === '') throw new RegistryError('NAME_UNKNOWN', 'Give the image after the project, as in dockerhub-proxy/library/alpine.')
  return parseRepositoryName(rest)
}
