import { LRUCache } from 'lru-cache'
import type { EdgesDocument, MirrorsDocument, PolicyDocument, PrincipalDocument, ProjectDocument } from '../../mesh/documents.ts'
import type { UpstreamBudget } from '../../mesh/enrolment.ts'
import type { FeedEntry } from '../../mesh/feed.ts'
import { systemClock } from '../../registry/clock.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { Credentials, KnownLogins } from '../away/grants.ts'
import { edgeKey } from '../identity.ts'
import { DOCUMENTS_IN_MEMORY, LINK_ANSWER_MS, POLL_EVERY_MS, RETRY_AFTER_S, UNKNOWN_FOR_MS } from '../limits.ts'
import type { Mesh, MeshStatus } from '../mesh.ts'
import { OriginClient } from '../origin-client.ts'
import type { Facts } from '../snapshot.ts'
import type { Env } from './env.ts'
import { answerOf, type DocumentAnswer, type DocumentQuestion, type GrantAnswer, type GrantQuestion, type Poll, type PollAnswer } from './talk.ts'
import type { Telling } from './teller.ts'

export interface LinkedMeshOptions {
  readonly env: Pick<Env, 'LINK' | 'ORIGIN_URL'>
  /** The feed names these; undefined: anything may have changed. */
  readonly onEntries?: (entries: readonly FeedEntry[] | undefined) => Promise<void>
  /** What upstreams say of their limits, whenever there is news of it. */
  readonly onBudgets?: (budgets: readonly UpstreamBudget[]) => Promise<void>
}

interface Held {
  readonly document: PolicyDocument | undefined
  readonly readAt: number
}

/**
 * The mesh as an isolate or a fill sees it: it asks the Link at most once a second what is new, and remembers documents until they are
 * named. Only values are shared between requests here, never promises: in a Worker, what one request waits for ends with that request.
 */
export class LinkedMesh implements Mesh {
  readonly facts: Facts
  readonly origin: OriginClient
  readonly #options: LinkedMeshOptions
  readonly #documents = new LRUCache<string, Held>({ max: DOCUMENTS_IN_MEMORY })
  #polledAt = Number.NEGATIVE_INFINITY
  #status: MeshStatus = { state: 'enrolling', lag: null, cursor: 0, run: -1 }
  #trusted = false
  #keys = ''
  #budgets = 0

  constructor(options: LinkedMeshOptions) {
    this.#options = options
    this.origin = new OriginClient({
      url: new URL(options.env.ORIGIN_URL),
      fetch: (url, init) => fetch(url, init),
      clock: systemClock,
      newId: () => crypto.randomUUID(),
    })
    this.facts = {
      project: async (name) => (await this.#document({ kind: 'project', name })) as ProjectDocument | undefined,
      principal: async (name) => (await this.#document({ kind: 'principal', name })) as PrincipalDocument | undefined,
      mirrors: async () => (await this.#document({ kind: 'mirrors', name: 'all' })) as MirrorsDocument | undefined,
      edges: async () => (await this.#document({ kind: 'edges', name: 'all' })) as EdgesDocument | undefined,
    }
  }

  async settle(): Promise<void> {
    const now = Date.now()
    const { onBudgets } = this.#options
    if (Math.abs(now - this.#polledAt) < POLL_EVERY_MS) return
    const question: Poll = { after: this.#status.cursor, run: this.#status.run, ...(onBudgets && { budgets: this.#budgets }) }
    const answer = await this.#ask<PollAnswer>('poll', question)
    const { run, cursor } = this.#status
    // Others ask at the same moment, and one of them was answered first: all forget the same, but nobody forgets everything again.
    const overtaken = question.run !== run || question.after !== cursor
    if (answer.status.run === run && (answer.status.cursor < cursor || (overtaken && answer.status.cursor === cursor))) return
    const entries = question.run === run ? answer.entries : undefined
    // To forget everything takes no time. Then it is done, and whoever is answered next may know it.
    const forgotten = this.#forget(entries)
    if (entries !== undefined) await forgotten
    this.#trusted = answer.trusted
    this.#status = answer.status
    await forgotten
    if (answer.member !== undefined) await this.#join(answer.member)
    this.origin.use(new URL(answer.origin))
    this.origin.observe(Date.now() + answer.offset)
    this.#polledAt = now
    if (answer.budgets === undefined) return
    await onBudgets?.(answer.budgets.budgets)
    this.#budgets = answer.budgets.version
  }

  status(): MeshStatus {
    const { lag } = this.#status
    return { ...this.#status, lag: lag === null ? null : lag + Math.max(0, Date.now() - this.#polledAt) }
  }

  /** Hands on a document that came with a token. */
  async offer(jws: string): Promise<void> {
    await this.#ask('offer', { jws })
  }

  /** Hands on what was seen here. Durable when it resolves. */
  async tell(telling: Telling): Promise<void> {
    await this.#ask('tell', telling)
  }

  /** The logins that the Link keeps for when the origin is away. */
  get logins(): KnownLogins {
    return {
      keep: async (login, granted) => {
        await this.#ask<GrantAnswer>('grant', { login: credentialsOf(login), granted } satisfies GrantQuestion)
      },
      find: async (login, client) => {
        const question: GrantQuestion = { login: credentialsOf(login), ...(client !== undefined && { client }) }
        return (await this.#ask<GrantAnswer>('grant', question)).granted
      },
    }
  }

  async #join({ enrolment, key }: NonNullable<PollAnswer['member']>): Promise<void> {
    const keys = JSON.stringify([enrolment, key.x])
    if (keys === this.#keys) return
    this.origin.join({ enrolment, key: await edgeKey(key) })
    this.#keys = keys
  }

  async #forget(entries: readonly FeedEntry[] | undefined): Promise<void> {
    if (entries === undefined) this.#documents.clear()
    for (const entry of entries ?? []) {
      if (entry.kind === 'project') this.#documents.delete(`project/${entry.name}`)
      if (entry.kind === 'principal') this.#documents.delete(`principal/${entry.id}`)
      // The Link says which of them the new keys still vouch for.
      if (entry.kind === 'keys') this.#documents.clear()
      if (entry.kind === 'mirrors' || entry.kind === 'edges') this.#documents.delete(`${entry.kind}/all`)
    }
    if (entries === undefined || entries.length > 0) await this.#options.onEntries?.(entries)
  }

  async #document(question: DocumentQuestion): Promise<PolicyDocument | undefined> {
    const key = `${question.kind}/${question.name}`
    const held = this.#trusted ? this.#documents.get(key) : undefined
    if (held !== undefined && this.#forUs(held) && (held.document !== undefined || Math.abs(Date.now() - held.readAt) < UNKNOWN_FOR_MS))
      return held.document
    const { document, cursor } = await this.#ask<DocumentAnswer>('document', question)
    // What the Link said before we heard the last news may be older than those.
    if (this.#trusted && cursor >= this.#status.cursor && !isLapsed(document)) this.#documents.set(key, { document, readAt: Date.now() })
    return document
  }

  /** While the origin is away the Link knows how long a project with a grace of its own may be served. */
  #forUs({ document }: Held): boolean {
    return this.#status.state === 'connected' || document?.type !== 'project' || document.grace === undefined
  }

  async #ask<T>(what: string, body: object): Promise<T> {
    const { LINK } = this.#options.env
    try {
      const response = await LINK.get(LINK.idFromName('link')).fetch(`https://link/${what}`, {
        method: 'POST',
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(LINK_ANSWER_MS),
      })
      return await answerOf<T>(response)
    } catch (cause) {
      if (cause instanceof RegistryError) throw cause
      throw new RegistryError('UNAVAILABLE', 'This edge does not hear its own link to the origin now.', undefined, {
        cause,
        headers: { 'Retry-After': String(RETRY_AFTER_S) },
      })
    }
  }
}

function isLapsed(document: PolicyDocument | undefined): boolean {
  return document?.type === 'project' && document.facts.lapsed === true
}

/** A request for a token holds more than that. */
function credentialsOf({ username, password }: Credentials): Credentials {
  return { username, password }
}
