import { bearer, type Caller } from '../../mesh/caller.ts'
import { covers } from '../../mesh/tokens.ts'
import type { Clock } from '../../registry/clock.ts'
import { resourceAt } from '../../registry/http/route.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { Account } from './accounts.ts'
import type { Callers } from './callers.ts'
import type { Facts } from './facts.ts'
import type { Issuer } from './issuer.ts'

export interface UploadTicketsOptions {
  readonly callers: Pick<Callers, 'identify' | 'account'>
  readonly issuer: Pick<Issuer, 'issue' | 'verify'>
  readonly facts: Pick<Facts, 'account'>
  readonly clock: Pick<Clock, 'now'>
}

/** An edge that cannot take bodies asks for one with this header. */
export const TICKET_HEADER = 'Atoll-Upload-Ticket'
const PARAMETER = 'ticket'
const TYPE = 'upload'

interface Session {
  readonly name: string
  readonly id: string
}

/**
 * Tickets for one upload session, in its address: clients send what they are told to another host, and their tokens stay behind. A ticket is
 * worth nothing for anything else, not even as a token, and ends with the account, its password and the right to push as every token does.
 */
export class UploadTickets {
  readonly #options: UploadTicketsOptions

  constructor(options: UploadTicketsOptions) {
    this.#options = options
  }

  /** As Callers, and by ticket. @throws RegistryError UNAUTHORIZED */
  async identify(request: Request): Promise<Caller> {
    const ticket = ticketOf(request)
    if (ticket === undefined) return await this.#options.callers.identify(request)
    const { issuer, facts, clock } = this.#options
    const session = sessionAt(new URL(request.url).pathname)
    const token = await issuer.verify(ticket)
    if (session === undefined || !covers(token.access, { type: TYPE, name: keyOf(session), action: 'push' })) {
      throw new RegistryError('UNAUTHORIZED', 'This ticket is for another upload.')
    }
    const caller = await bearer(token, (id) => facts.account(id), clock.now())
    return { ...caller, access: [{ type: 'repository', name: session.name, actions: ['pull', 'push'] }] }
  }

  /** The same answer; where an upload goes on by ticket, its address has a new one. */
  async answer(request: Request, response: Response): Promise<Response> {
    if (response.status !== 202) return response
    const wanted = request.headers.has(TICKET_HEADER) || ticketOf(request) !== undefined
    const location = wanted ? response.headers.get('location') : null
    const session = location === null ? undefined : sessionAt(location.split('?', 1)[0] ?? '')
    const account = session && (await this.#account(request))
    if (location === null || session === undefined || account === undefined) return response
    const { token } = await this.#options.issuer.issue(account, [{ type: TYPE, name: keyOf(session), actions: ['push'] }])
    const headers = new Headers(response.headers)
    headers.set('location', `${location}?${new URLSearchParams({ [PARAMETER]: token })}`)
    return new Response(response.body, { status: response.status, headers })
  }

  /** Whose upload it is. */
  async #account(request: Request): Promise<Account | undefined> {
    const { callers, issuer, facts } = this.#options
    const token = ticketOf(request) ?? /^bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
    return token === undefined ? await callers.account(request) : await facts.account((await issuer.verify(token)).subject)
  }
}

/** Who shows who he is needs no ticket. */
function ticketOf(request: Request): string | undefined {
  if (!request.url.includes(`${PARAMETER}=`) || request.headers.has('authorization')) return undefined
  return new URL(request.url).searchParams.get(PARAMETER) ?? undefined
}

function sessionAt(path: string): Session | undefined {
  const resource = resourceAt(path)
  return resource?.kind === 'upload' ? { name: resource.name, id: resource.key } : undefined
}

function keyOf({ name, id }: Session): string {
  return `${name}@${id}`
}
