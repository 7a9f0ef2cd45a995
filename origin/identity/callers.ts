import { decodeJwt } from 'jose'
import { bearer, type Caller, NOBODY } from '../../mesh/caller.ts'
import { verifyRequest } from '../../mesh/signing.ts'
import { ANONYMOUS, type Principal } from '../../policy/facts.ts'
import type { Clock } from '../../registry/clock.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { Account, EdgeAccount } from './accounts.ts'
import { parseBasic } from './basic.ts'
import type { Facts } from './facts.ts'
import type { Issuer } from './issuer.ts'
import type { Logins } from './logins.ts'
import type { Nonces } from './nonces.ts'
import { refuseForeignChanges } from './sessions/other-sites.ts'
import type { Sessions } from './sessions/sessions.ts'

export interface CallersOptions {
  readonly facts: Facts
  readonly logins: Logins
  readonly issuer: Issuer
  readonly nonces: Nonces
  readonly clock: Pick<Clock, 'now'>
  /** Logins by browser. */
  readonly sessions: Pick<Sessions, 'authenticate'>
  /** The network address that a request came from. */
  readonly addressOf: (request: Request) => string
}

/** Requests → who sends them. */
export class Callers {
  readonly #options: CallersOptions

  constructor(options: CallersOptions) {
    this.#options = options
  }

  /** Basic, Bearer, an edge's proof, or nobody. @throws RegistryError UNAUTHORIZED, TOOMANYREQUESTS */
  async identify(request: Request): Promise<Caller> {
    const header = request.headers.get('authorization')
    if (header === null || header === '') return NOBODY
    switch (header.slice(0, header.indexOf(' ')).toLowerCase()) {
      case 'basic':
        return { principal: (await this.#basic(header, request)).principal, presented: true }
      case 'bearer':
        return await this.#bearer(header.slice('bearer '.length).trim())
      case 'atoll-edge':
        return { principal: (await this.edge(request)).principal, presented: true }
      default:
        throw unusable()
    }
  }

  /** For the API: passwords, robots' secrets, sessions. A token is made for some repositories, and must not open the rest. @throws as identify, as sessions do, and DENIED (403) for a change that another site sends */
  async authenticate(request: Request): Promise<Principal> {
    refuseForeignChanges(request)
    const account = (await this.account(request)) ?? (await this.#options.sessions.authenticate(request))
    return account?.principal ?? ANONYMOUS
  }

  /** The same, with what a token for it needs; undefined: nobody has logged in. @throws as identify */
  async account(request: Request): Promise<Account | undefined> {
    const header = request.headers.get('authorization')
    return header === null || header === '' ? undefined : await this.#basic(header, request)
  }

  /** The edge that signed this very request, once. @throws RegistryError UNAUTHORIZED, DENIED (it was revoked), TOOMANYREQUESTS */
  async edge(request: Request): Promise<EdgeAccount> {
    const { facts, nonces, clock } = this.#options
    const proof = /^atoll-edge ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
    if (proof === undefined) throw notProven()
    const edge = await facts.edge(claimedEdge(proof))
    if (edge === undefined) throw notProven()
    const now = clock.now()
    let nonce: string
    try {
      nonce = await verifyRequest(proof, request, edge, now)
    } catch (cause) {
      throw notProven(cause)
    }
    if (edge.revoked) throw new RegistryError('DENIED', `The edge ${edge.name} was revoked.`)
    if (!nonces.take(edge.id, nonce, now)) throw notProven()
    return edge
  }

  async #basic(header: string, request: Request): Promise<Account> {
    const given = parseBasic(header)
    if (given === undefined) throw unusable()
    return await this.#options.logins.login(given.name, given.secret, this.#options.addressOf(request))
  }

  async #bearer(token: string): Promise<Caller> {
    const { issuer, facts, clock } = this.#options
    return await bearer(await issuer.verify(token), (id) => facts.account(id), clock.now())
  }
}

/** What the proof says it is from; nothing is believed yet. */
function claimedEdge(proof: string): string {
  try {
    return decodeJwt(proof).iss ?? ''
  } catch (cause) {
    throw notProven(cause)
  }
}

function notProven(cause?: unknown): RegistryError {
  return new RegistryError('UNAUTHORIZED', 'This needs the proof of an enrolled edge, made for this request, now.', undefined, { cause })
}

function unusable(): RegistryError {
  return new RegistryError(
    'UNAUTHORIZED',
    'The Authorization header cannot be used here: send a user name and password (Basic), or a token (Bearer).',
  )
}
