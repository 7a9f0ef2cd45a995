import type { RepositoryName } from '../spec/names.ts'
import type { Api, ApiRequest } from './api.ts'
import type { Authorizer } from './authorizer.ts'
import { readBeginning } from './bodies.ts'
import { parseChallenges } from './challenge.ts'
import { unreachable, upstreamError } from './errors.ts'
import type { OnWait, Reply, Transport } from './transport.ts'
import type { Vendor } from './vendors/vendor.ts'

export interface ClientOptions {
  readonly base: URL
  readonly vendor: Vendor
  readonly transport: Transport
  readonly authorizer: Authorizer
  readonly signal?: AbortSignal | undefined
  /** What is looked at here is to be pushed to as well: one token does for both. */
  readonly pushes?: boolean | undefined
  readonly onWait?: OnWait | undefined
}

/** One registry's API: its address, who we are there, and for whose sake we ask (the signal). */
export class Client implements Api {
  readonly base: URL
  readonly vendor: Vendor
  readonly transport: Transport
  readonly #authorizer: Authorizer
  readonly #signal: AbortSignal | undefined
  readonly #pushes: boolean
  readonly #onWait: OnWait | undefined

  constructor({ base, vendor, transport, authorizer, signal, pushes = false, onWait }: ClientOptions) {
    this.base = base
    this.vendor = vendor
    this.transport = transport
    this.#authorizer = authorizer
    this.#signal = signal
    this.#pushes = pushes
    this.#onWait = onWait
  }

  /** What this registry calls the repository. */
  nameOf(name: RepositoryName): string {
    return this.vendor.repository(name)
  }

  async send(request: ApiRequest): Promise<Reply> {
    const url = typeof request.url === 'string' ? new URL(`${this.base.href.replace(/\/$/, '')}${request.url}`) : request.url
    const signal = this.#signal
    const scopes = this.#pushes ? request.scopes.map(withPush) : request.scopes
    const about = { method: request.method, url, scopes, signal }
    let sent: Readonly<Record<string, string>> = {}
    const send = () =>
      this.transport.send({
        method: request.method,
        url,
        ...(request.headers && { headers: request.headers }),
        ...(request.body && { body: request.body }),
        repeatable: request.repeatable,
        authorize: async (method, to) => {
          sent = await this.#authorizer.headers({ ...about, method, url: to })
          return sent
        },
        signal,
        onWait: this.#onWait,
      })
    const reply = await send()
    if (reply.status !== 401 || !reply.direct || !this.#authorizer.challenged) return reply
    const challenges = parseChallenges(reply.headers.get('www-authenticate'))
    if (!(await this.#authorizer.challenged(about, challenges, sent))) return reply
    await reply.discard()
    // The stream is gone with the refused request. The caller knows where the upload stands and goes on from there.
    if (request.body instanceof ReadableStream) throw unreachable(url, new Error('authorization expired while sending'))
    return send()
  }

  async errorOf(reply: Reply, what: string): Promise<Error> {
    const refused = reply.status === 401 ? this.#authorizer.refused?.() : undefined
    if (refused !== undefined) {
      await reply.discard()
      return refused
    }
    const body = await readBeginning(reply, this.transport, this.transport.limits.errorBytes)
    return upstreamError({ ...reply, now: this.transport.clock.now() }, body, what)
  }
}

export function scopesOf(name: string, ...actions: readonly ('pull' | 'push' | 'delete')[]): readonly string[] {
  return [`repository:${name}:${actions.join(',')}`]
}

function withPush(scope: string): string {
  return /^repository:.*:pull$/.test(scope) ? `${scope},push` : scope
}
