import type { KnownEdge, PolicyDocument, UpstreamFacts } from '../../mesh/documents.ts'
import { type SigningKey, signDocument } from '../../mesh/signing.ts'
import type { Clock } from '../../registry/clock.ts'
import { headOfChanges } from '../../schema/changes.ts'
import type { Database } from '../../schema/database.ts'
import type { Edge } from '../../schema/edges.ts'
import { findEndpointById } from '../../schema/endpoints.ts'
import { findProjectByName, type Project, projectsWithSetting } from '../../schema/projects.ts'
import type { FactSource } from '../identity/accounts.ts'
import { mirrorsOf } from '../project-rules/mirrors.ts'
import { graceOf, PROJECT_RULES, tagLeasesOf, upstreamRulesOf, warmingRulesOf } from '../project-rules/settings.ts'
import { allEdges } from './all-edges.ts'
import { loginOfEndpoint } from './shared-budgets.ts'

export interface DocumentsOptions {
  readonly db: Database
  /** The database itself, not what is remembered of it: a document must not be older than its version says. */
  readonly source: FactSource
  readonly clock: Pick<Clock, 'now'>
  readonly signing: () => SigningKey
}

/** Facts for edges, signed. The version is read before the facts: they may be newer than it, never older. */
export class Documents {
  readonly #options: DocumentsOptions
  readonly #made = new Map<PolicyDocument['type'], { readonly version: number; readonly jws: Promise<string> }>()

  constructor(options: DocumentsOptions) {
    this.#options = options
  }

  /** undefined: there is no such project. */
  async project(name: string): Promise<string | undefined> {
    const { db, source, clock } = this.#options
    const version = await headOfChanges(db)
    const facts = await source.project(name)
    if (facts === undefined) return undefined
    const project = await findProjectByName(db, name)
    const upstream = project && (await this.#upstream(project))
    const rules = project && upstream && upstreamRulesOf(project)
    const tagLeases = project && upstream && tagLeasesOf(project)
    const warming = project && warmingRulesOf(project)
    const grace = project && graceOf(project)
    return await this.#sign({
      type: 'project',
      version,
      issuedAt: clock.now(),
      facts,
      ...(upstream && { upstream }),
      ...(rules && { rules }),
      ...(tagLeases !== undefined && { tagLeases }),
      ...(warming && { warming }),
      ...(grace && { grace }),
    })
  }

  /** Which proxy caches stand for which registries. */
  async mirrors(): Promise<string> {
    return await this.#shared('mirrors', (version) => this.#signMirrors(version))
  }

  /** Which edges there are. */
  async edges(): Promise<string> {
    return await this.#shared('edges', (version) => this.#signEdges(version))
  }

  /** undefined: there is no such user or robot, or it was deleted. */
  async principal(id: string): Promise<string | undefined> {
    const { db, source, clock } = this.#options
    const version = await headOfChanges(db)
    const account = await source.account(id)
    if (account === undefined) return undefined
    const { principal: facts, credentialVersion } = account
    return await this.#sign({ type: 'principal', version, issuedAt: clock.now(), facts, credentialVersion })
  }

  /** All edges ask at once when such a document has changed: it is made once for them. */
  async #shared(type: PolicyDocument['type'], sign: (version: number) => Promise<string>): Promise<string> {
    const version = await headOfChanges(this.#options.db)
    const known = this.#made.get(type)
    if (known?.version === version) return await known.jws
    const made = { version, jws: sign(version) }
    this.#made.set(type, made)
    made.jws.catch(() => {
      if (this.#made.get(type) === made) this.#made.delete(type)
    })
    return await made.jws
  }

  async #signEdges(version: number): Promise<string> {
    const { db, clock } = this.#options
    const edges = await Array.fromAsync(allEdges(db), known)
    return await this.#sign({ type: 'edges', version, issuedAt: clock.now(), edges })
  }

  async #signMirrors(version: number): Promise<string> {
    const { db, clock } = this.#options
    const [mirrored, warmed] = await Promise.all([mirrorsOf(db), projectsWithSetting(db, PROJECT_RULES.warming.setting)])
    const hosts = Object.fromEntries(mirrored.map(({ host, projects }) => [host, projects]))
    return await this.#sign({ type: 'mirrors', version, issuedAt: clock.now(), hosts, warmed })
  }

  async #sign(document: PolicyDocument): Promise<string> {
    return await signDocument('atoll-policy+jws', document, this.#options.signing())
  }

  async #upstream({ endpointId }: Project): Promise<UpstreamFacts | undefined> {
    const endpoint = endpointId === null ? undefined : await findEndpointById(this.#options.db, endpointId)
    return (
      endpoint && {
        kind: endpoint.type,
        url: endpoint.url,
        verifyTls: !endpoint.insecure,
        ...(endpoint.sealedSecret === null ? { credentials: 'anonymous' } : { credentials: 'origin', login: loginOfEndpoint(endpoint.id) }),
      }
    )
  }
}

function known({ id, name, region, url, publicJwk, drainedAt }: Edge): KnownEdge {
  return { id, name, region, url, publicKey: publicJwk, ...(drainedAt !== null && { draining: true }) }
}
