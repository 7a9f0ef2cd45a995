import { bearer, type Caller, type Holder, NOBODY } from '../mesh/caller.ts'
import { isTicketFor, TICKET_PARAMETER } from '../mesh/nearest.ts'
import { resourceAt } from '../registry/http/route.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import { parseBasic } from './basic.ts'
import type { BasicLogins } from './basic-logins.ts'
import type { Mesh } from './mesh.ts'
import type { Tokens } from './tokens.ts'

export interface CallersOptions {
  readonly mesh: Pick<Mesh, 'facts' | 'origin'>
  readonly tokens: Pick<Tokens, 'verify' | 'verifyTicket'>
  readonly basic: BasicLogins
}

/** Requests → who sends them. */
export class Callers {
  readonly #options: CallersOptions

  constructor(options: CallersOptions) {
    this.#options = options
  }

  /** Bearer, Basic, or nobody. `client` is the network address that the request came from. @throws RegistryError UNAUTHORIZED, TOOMANYREQUESTS, UNAVAILABLE */
  async identify(request: Request, client: string | undefined): Promise<Caller> {
    const header = request.headers.get('Authorization')
    if (header === null || header === '') return (await this.#byTicket(request)) ?? NOBODY
    const token = /^bearer +(\S+)$/i.exec(header)?.[1]
    if (token !== undefined) return await this.#bearer(token)
    const credentials = parseBasic(header)
    if (credentials === undefined) {
      throw new RegistryError(
        'UNAUTHORIZED',
        'The Authorization header cannot be used here: send a user name and password (Basic), or a token (Bearer).',
      )
    }
    // Who has the secret is bound by no token.
    const { principal, credentialVersion } = await this.#bearer(await this.#options.basic.token(credentials, client))
    return { principal, presented: true, ...(credentialVersion !== undefined && { credentialVersion }) }
  }

  /** Whoever was sent here for a blob shows a ticket for it in its address. */
  async #byTicket(request: Request): Promise<Caller | undefined> {
    if (!request.url.includes(`${TICKET_PARAMETER}=`) || (request.method !== 'GET' && request.method !== 'HEAD')) return undefined
    const { pathname, searchParams } = new URL(request.url)
    const ticket = searchParams.get(TICKET_PARAMETER)
    const blob = resourceAt(pathname)
    if (ticket === null || blob?.kind !== 'blob') return undefined
    const { mesh, tokens } = this.#options
    const verified = await tokens.verifyTicket(ticket, (await mesh.facts.edges())?.edges ?? [])
    if (verified === undefined || !isTicketFor(verified.access, blob.name, blob.key)) {
      throw new RegistryError('UNAUTHORIZED', 'This ticket is for another blob, or no longer good. Ask again where you were sent from.')
    }
    const caller = await bearer(verified, (id) => this.#holder(id), mesh.origin.now())
    return { ...caller, access: [{ type: 'repository', name: blob.name, actions: ['pull'] }] }
  }

  async #bearer(token: string): Promise<Caller> {
    const { mesh, tokens } = this.#options
    const verified = await tokens.verify(token)
    if (verified === undefined) throw new RegistryError('UNAUTHORIZED', 'The token is not valid here, or no longer. Get a new one.')
    return await bearer(verified, (id) => this.#holder(id), mesh.origin.now())
  }

  async #holder(id: string): Promise<Holder | undefined> {
    const document = await this.#options.mesh.facts.principal(id)
    return document && { principal: document.facts, credentialVersion: document.credentialVersion }
  }
}
