import type { PrincipalDocument, ProjectDocument, UpstreamFacts } from '../../mesh/documents.ts'
import { type SigningKey, signDocument } from '../../mesh/signing.ts'
import type { Clock } from '../../registry/clock.ts'
import { headOfChanges } from '../../schema/changes.ts'
import type { Database } from '../../schema/database.ts'
import { findEndpointById } from '../../schema/endpoints.ts'
import { findProjectByName } from '../../schema/projects.ts'
import type { FactSource } from '../identity/accounts.ts'

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

  constructor(options: DocumentsOptions) {
    this.#options = options
  }

  /** undefined: there is no such project. */
  async project(name: string): Promise<string | undefined> {
    const { db, source, clock } = this.#options
    const version = await headOfChanges(db)
    const facts = await source.project(name)
    if (facts === undefined) return undefined
    const upstream = facts.proxy ? await this.#upstream(name) : undefined
    return await this.#sign({ type: 'project', version, issuedAt: clock.now(), facts, ...(upstream && { upstream }) })
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

  async #sign(document: ProjectDocument | PrincipalDocument): Promise<string> {
    return await signDocument('atoll-policy+jws', document, this.#options.signing())
  }

  async #upstream(project: string): Promise<UpstreamFacts | undefined> {
    const { db } = this.#options
    const found = await findProjectByName(db, project)
    const endpoint = found === undefined || found.endpointId === null ? undefined : await findEndpointById(db, found.endpointId)
    return (
      endpoint && {
        kind: endpoint.type,
        url: endpoint.url,
        verifyTls: !endpoint.insecure,
        credentials: endpoint.sealedSecret === null ? 'anonymous' : 'origin',
      }
    )
  }
}
