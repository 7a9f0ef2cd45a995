import type { CreateHasher } from '../../registry/blob-store.ts'
import type { Clock } from '../../registry/clock.ts'
import { type Deltas, deltasOver } from '../../registry/delta/deltas.ts'
import { ListTurns } from '../../registry/delta/support.ts'
import type { LocalRegistry } from '../../registry/local.ts'
import type { Log } from '../../registry/log.ts'
import type { Registry } from '../../registry/registry.ts'
import { type Credentials, RemoteRegistry, type RemoteUse, vendorOf } from '../../registry/remote/index.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { type RepositoryName, splitProject } from '../../registry/spec/names.ts'
import { createChunker } from '../../runtime/chunker.ts'
import { zstd } from '../../runtime/zstd.ts'
import type { Database } from '../../schema/database.ts'
import { type Endpoint, findEndpointById } from '../../schema/endpoints.ts'
import { createProject, findProjectByName } from '../../schema/projects.ts'
import { refuseExpired } from './expiry.ts'
import { type FactsOf, harborFacts, localFacts, manifestFacts } from './facts.ts'

/** One end of a replication. */
export interface Site {
  /** The same for as long as the endpoint is, for what is remembered of it. */
  readonly key: string
  /** For a log. */
  readonly name: string
  open(signal: AbortSignal, actor: string, use?: RemoteUse): Registry
  /** What moves only what changed inside its blobs. undefined: it is no site of ours. */
  deltas(name: RepositoryName, signal: AbortSignal, actor: string, use?: RemoteUse): Deltas | undefined
  /** Makes what must be there before something is put into the repository: its project. */
  prepare(name: RepositoryName, signal: AbortSignal): Promise<void>
  /** What filters ask of an artifact here beyond its name. */
  readonly facts: FactsOf
}

/** What decides how an endpoint may be reached: what certificate it needs, and whether somebody named it who may not name every host. */
export type EndpointTrust = Pick<Endpoint, 'insecure' | 'caCertificate' | 'projectId'>

export interface SitesOptions {
  readonly db: Database
  readonly local: LocalRegistry
  readonly fetchFor: (endpoint: EndpointTrust) => typeof fetch
  readonly unseal: (sealed: string, purpose: string) => Promise<string>
  readonly createHasher: CreateHasher
  readonly clock: Clock
  readonly log: Log
  /** The user who owns projects that a replication makes. */
  readonly projectOwner: number
}

/** The ends of replications: this registry, and those that endpoints name. Tokens live as long as their endpoint stays as it is. */
export class Sites {
  readonly #options: SitesOptions
  readonly #remotes = new Map<number, { readonly updatedAt: number; readonly site: Site }>()
  /** No more wait than there are copies on their way. */
  readonly #turns = new ListTurns(Number.POSITIVE_INFINITY)

  constructor(options: SitesOptions) {
    this.#options = options
  }

  /** `endpointId` null: this registry. @throws RegistryError NAME_UNKNOWN when the endpoint is gone, DENIED when its time is over */
  async of(endpointId: number | null): Promise<Site> {
    if (endpointId === null) return this.#local()
    const endpoint = await findEndpointById(this.#options.db, endpointId)
    if (endpoint === undefined) throw new RegistryError('NAME_UNKNOWN', `There is no registry endpoint ${endpointId} any more.`)
    refuseExpired(endpoint, this.#options.clock.now())
    const known = this.#remotes.get(endpointId)
    if (known?.updatedAt === endpoint.updatedAt) return known.site
    const site = await this.#remote(endpoint)
    this.#remotes.set(endpointId, { updatedAt: endpoint.updatedAt, site })
    return site
  }

  #local(): Site {
    const { db, local, projectOwner } = this.#options
    return {
      key: 'local',
      name: 'this registry',
      open: (_signal, actor) => local.as(actor, { versions: true }),
      deltas: (repository, signal, actor) => deltasOver(local.as(actor).repository(repository), { createChunker, turns: this.#turns }, signal),
      facts: localFacts(db),
      prepare: async (name) => {
        const project = splitProject(name).project
        const found = await findProjectByName(db, project)
        if (found?.endpointId) throw new RegistryError('DENIED', `${project} is a proxy cache; nothing can be copied into it.`)
        if (found) return
        try {
          await createProject(db, { name: project, ownerId: projectOwner, public: false }, 'system')
        } catch (error) {
          // Two tasks may be the first at once.
          if (!(await findProjectByName(db, project))) throw error
        }
      },
    }
  }

  async #remote(endpoint: Endpoint): Promise<Site> {
    const { fetchFor, unseal, createHasher, clock, log } = this.#options
    const { id } = endpoint
    const credentials = await endpointCredentials(endpoint, unseal)
    const fetch = fetchFor(endpoint)
    const remote = await RemoteRegistry.open({
      url: new URL(endpoint.url),
      vendor: vendorOf(endpoint.type),
      fetch,
      credentials,
      createHasher,
      compression: zstd,
      asksFirst: true,
      clock,
      log,
    })
    const name = `${endpoint.name} (${remote.url.host})`
    const open: Site['open'] = (signal, _actor, use) => remote.with(signal, use)
    const hasLabels = endpoint.type === 'harbor' || endpoint.type === 'atoll'
    return {
      key: `endpoint:${id}`,
      name,
      open,
      deltas: (repository, signal, _actor, use) => remote.deltas(repository, signal, use),
      prepare: (repository, signal) => remote.prepare(repository, signal),
      facts: hasLabels ? harborFacts({ url: remote.url, fetch, credentials, clock }) : manifestFacts((signal) => open(signal, 'system'), name),
    }
  }
}

/** The name and password that an endpoint is used with; undefined: anonymously. @throws when its secret cannot be unsealed */
export async function endpointCredentials(
  { id, accessKey, sealedSecret }: Pick<Endpoint, 'id' | 'accessKey' | 'sealedSecret'>,
  unseal: SitesOptions['unseal'],
): Promise<Credentials | undefined> {
  if (accessKey === null || sealedSecret === null) return undefined
  return { username: accessKey, password: await unseal(sealedSecret, `endpoint:${id}`) }
}
