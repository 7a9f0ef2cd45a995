import { decodeProtectedHeader, type JWK } from 'jose'
import { LRUCache } from 'lru-cache'
import PQueue from 'p-queue'
import type { EdgesDocument, MirrorsDocument, PolicyDocument, PrincipalDocument, ProjectDocument } from '../mesh/documents.ts'
import type { FeedEntry } from '../mesh/feed.ts'
import type { Clock } from '../registry/clock.ts'
import type { Log } from '../registry/log.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import { Guesses } from './guesses.ts'
import type { Kept } from './kept.ts'
import { DOCUMENTS_IN_MEMORY, REFRESHES_AT_ONCE, RETRY_AFTER_S, UNKNOWN_FOR_MS, UNKNOWNS_IN_MEMORY } from './limits.ts'
import { revokedEdge } from './revoked.ts'
import { lapsed, type Standing, standingOf } from './standing.ts'

/** What an edge decides from: the origin's documents, each as fresh as the feed. */
export interface Facts {
  /** undefined: there is no such project. @throws RegistryError UNAVAILABLE when nothing trustworthy is known */
  project(name: string): Promise<ProjectDocument | undefined>
  principal(id: string): Promise<PrincipalDocument | undefined>
  mirrors(): Promise<MirrorsDocument | undefined>
  edges(): Promise<EdgesDocument | undefined>
}

export interface SnapshotOptions {
  readonly kept: Kept
  readonly clock: Clock
  readonly log: Log
  /** The signed document as the origin has it now; undefined: it has none. @throws RegistryError UNAVAILABLE */
  readonly fetch: (kind: PolicyDocument['type'], name: string) => Promise<string | undefined>
  /** @throws when the origin did not sign it */
  readonly verify: (jws: string) => Promise<PolicyDocument>
  /** How far this edge has followed the feed. */
  readonly cursor: () => number
  readonly trust: TrustInOrigin
}

/** How this edge stands with its origin (see Trust). */
export interface TrustInOrigin {
  /** The origin was heard a moment ago. */
  readonly connected: boolean
  /** The origin has said that this edge is none of its any more: nothing is trusted. */
  readonly revoked: boolean
  /** For how long what the origin confirmed may be acted on, in milliseconds. */
  readonly grace: number
  /** Milliseconds since the origin last confirmed what this edge knows. */
  age(): number
}

/** A document in memory. `document` undefined: the origin has none of that name. */
interface Held {
  readonly document: PolicyDocument | undefined
  /** By our clock. */
  readonly readAt: number
  /** The unbroken run of the feed that has confirmed it since it was read. */
  readonly run: number
  /** The feed has named it since. */
  readonly stale: boolean
  /** Of the key that signed it. */
  readonly kid: string | undefined
}

/** The detail of the refusal of what is known, and was confirmed too long ago. */
export const PAST_GRACE = { reason: 'past-grace' } as const

interface Stored {
  readonly jws: string
  readonly readAt: number
  readonly run: number
}

/**
 * The signed documents that this edge holds, in memory and kept over restarts. One is read when first needed, and again when the feed
 * names it or has lost its thread; an older one never takes the place of a newer one, whoever serves it.
 */
export class Snapshot implements Facts {
  readonly #options: SnapshotOptions
  readonly #held = new LRUCache<string, Held>({ max: DOCUMENTS_IN_MEMORY })
  /** Names that the origin knows nothing of. */
  readonly #absent = new LRUCache<string, Held>({ max: UNKNOWNS_IN_MEMORY })
  readonly #guesses: Guesses
  readonly #reading = new Map<string, Promise<Held>>()
  /** Writes happen one after another, so that what the feed has named is gone from the disk before the cursor moves on. */
  readonly #writes = new PQueue({ concurrency: 1 })
  readonly #refreshes = new PQueue({ concurrency: REFRESHES_AT_ONCE })
  /** Where the feed last named a document that was being read at that moment. */
  readonly #named = new Map<string, number>()
  /** The newest change that the feed has told of in this run. */
  #heard = 0
  #run = 0

  constructor(options: SnapshotOptions) {
    this.#options = options
    this.#guesses = new Guesses(options.clock)
  }

  async project(name: string): Promise<ProjectDocument | undefined> {
    const document = await this.#find('project', name)
    return document?.type === 'project' ? document : undefined
  }

  async principal(id: string): Promise<PrincipalDocument | undefined> {
    const document = await this.#find('principal', id)
    return document?.type === 'principal' ? document : undefined
  }

  async mirrors(): Promise<MirrorsDocument | undefined> {
    const document = await this.#find('mirrors', ALL)
    return document?.type === 'mirrors' ? document : undefined
  }

  async edges(): Promise<EdgesDocument | undefined> {
    const document = await this.#find('edges', ALL)
    return document?.type === 'edges' ? document : undefined
  }

  /** Takes in a document that came with something else, for instance a token. @throws when the origin did not sign it */
  async offer(jws: string): Promise<PolicyDocument> {
    const document = await this.#options.verify(jws)
    const key = keyOf(document)
    if (document.version >= Math.max(this.#options.cursor(), this.#heard, this.#versionOf(key))) this.#hold(key, document, jws)
    return document
  }

  /** The feed names these as changed. Durable when it resolves. */
  async apply(entries: readonly FeedEntry[]): Promise<void> {
    const keys = entries.flatMap((entry) => {
      if (entry.kind === 'project') return [{ key: `project/${entry.name}`, seq: entry.seq }]
      if (entry.kind === 'mirrors' || entry.kind === 'edges') return [{ key: `${entry.kind}/${ALL}`, seq: entry.seq }]
      return entry.kind === 'principal' ? [{ key: `principal/${entry.id}`, seq: entry.seq }] : []
    })
    for (const { key, seq } of keys) {
      this.#heard = Math.max(this.#heard, seq)
      if (this.#reading.has(key)) this.#named.set(key, seq)
      this.#absent.delete(key)
      const held = this.#held.get(key)
      // Read after that change was made: the feed is only now telling of it.
      if (held === undefined || (held.document?.version ?? 0) >= seq) continue
      this.#held.set(key, { ...held, stale: true })
      void this.#refreshes.add(() => this.#refresh(key))
    }
    await this.#writes.add(async () => {
      for (const { key } of keys) await this.#options.kept.delete(documentKey(key))
    })
  }

  /** What no key of these has signed is read again before it is acted on. */
  trustOnly(keys: readonly JWK[]): void {
    const kids = new Set(keys.map(({ kid }) => kid))
    for (const [key, held] of [...this.#held.entries()]) {
      if (kids.has(held.kid)) continue
      this.#held.set(key, { ...held, stale: true })
      void this.#refreshes.add(() => this.#refresh(key))
    }
  }

  /** Resolves when nothing is being read again or written. */
  async idle(): Promise<void> {
    await this.#refreshes.onIdle()
    await this.#writes.onIdle()
  }

  /** From here on only what is read, or confirmed, in this run of the feed counts as fresh. */
  begin(run: number): void {
    this.#run = run
    this.#heard = 0
  }

  async #find(kind: PolicyDocument['type'], name: string): Promise<PolicyDocument | undefined> {
    const key = `${kind}/${name}`
    const held = this.#held.get(key) ?? this.#absent.get(key)
    const known = held && this.#atOnce(held)
    if (known !== undefined) return known.document
    let reading = this.#reading.get(key)
    if (reading === undefined) {
      reading = this.#obtain(key).finally(() => {
        this.#reading.delete(key)
        this.#named.delete(key)
      })
      this.#reading.set(key, reading)
    }
    return (await reading).document
  }

  /** What of it may be acted on without asking the origin; undefined: it is to be asked first. */
  #atOnce(held: Held): Held | undefined {
    if (held.stale || held.run !== this.#run) return undefined
    if (held.document === undefined && Math.abs(this.#options.clock.now() - held.readAt) >= UNKNOWN_FOR_MS) return undefined
    const standing = this.#standing(held)
    if (standing === 'trusted') return held
    // Known to be away: nobody waits for it in vain.
    return standing === 'public' && !this.#options.trust.connected ? publicOf(held) : undefined
  }

  /** Reads a document again before a client asks for it. */
  async #refresh(key: string): Promise<void> {
    try {
      if (this.#held.get(key)?.stale) await this.#find(...splitKey(key))
    } catch (error) {
      this.#options.log.debug({ error, document: key }, 'a document could not be read again yet')
    }
  }

  /** From where it is kept, if that will do; else from the origin; if that is away, what was true a while ago. */
  async #obtain(key: string): Promise<Held> {
    const known = this.#held.get(key) ?? (await this.#load(key)) ?? this.#absent.get(key)
    const usable = known && this.#atOnce(known)
    if (known !== undefined && usable !== undefined) {
      this.#held.set(key, known)
      return usable
    }
    try {
      const guess = known?.document === undefined ? this.#guesses.take() : undefined
      const answer = await this.#ask(key)
      if (answer.document !== undefined) guess?.right()
      return answer
    } catch (error) {
      if (this.#options.trust.revoked) throw revokedEdge(error)
      // What is known to have changed since will not do.
      const changed = known === undefined || known.stale || this.#named.has(key)
      const standing = changed ? 'over' : this.#standing(known)
      if (known !== undefined && standing !== 'over') return standing === 'public' ? publicOf(known) : known
      if (changed || (error instanceof RegistryError && error.code === 'TOOMANYREQUESTS') || !(error instanceof RegistryError)) throw error
      throw new RegistryError(
        'UNAVAILABLE',
        'This edge has not heard from its origin for longer than its grace, and so cannot say who may pull this. It will as soon as the origin is back.',
        known.document && PAST_GRACE,
        { cause: error, headers: { 'Retry-After': String(RETRY_AFTER_S) } },
      )
    }
  }

  async #load(key: string): Promise<Held | undefined> {
    const stored = (await this.#options.kept.get(documentKey(key))) as Stored | undefined
    if (stored === undefined) return undefined
    try {
      const document = await this.#options.verify(stored.jws)
      if (keyOf(document) !== key) throw new TypeError(`it is the document of ${keyOf(document)}`)
      return { document, readAt: stored.readAt, run: stored.run, stale: this.#named.has(key), kid: kidOf(stored.jws) }
    } catch (error) {
      this.#options.log.warn({ error, document: key }, 'a kept document is not what the origin signed; it is read again')
      return undefined
    }
  }

  #standing({ document, run, readAt }: Held): Standing {
    const { trust, clock } = this.#options
    if (trust.revoked) return 'over'
    if (run === this.#run) return trust.connected ? 'trusted' : standingOf(document, trust.age(), trust.grace)
    // Confirmed by nobody in this run: its age counts from when it was read, and a clock that was set back makes it no younger.
    const sinceRead = clock.now() - readAt
    return standingOf(document, sinceRead < 0 ? Number.POSITIVE_INFINITY : Math.max(sinceRead, trust.age()), trust.grace)
  }

  async #ask(key: string): Promise<Held> {
    const { fetch, verify, cursor, clock } = this.#options
    for (let attempt = 0; attempt < 2; attempt++) {
      // What the origin reads now is not older than what it has told already.
      const since = Math.max(cursor(), this.#heard)
      const run = this.#run
      const [kind, name] = splitKey(key)
      const jws = await fetch(kind, name)
      if (jws === undefined) {
        if (this.#named.delete(key)) continue
        const held: Held = { document: undefined, readAt: clock.now(), run, stale: false, kid: undefined }
        this.#held.delete(key)
        this.#absent.set(key, held)
        return held
      }
      const document = await verified(jws, verify)
      const newest = Math.max(since, this.#named.get(key) ?? 0, this.#versionOf(key))
      if (keyOf(document) === key && document.version >= newest) return this.#hold(key, document, jws, run)
    }
    throw new RegistryError('UNAVAILABLE', 'The origin gives an older policy than this edge has already seen.', undefined, {
      headers: { 'Retry-After': String(RETRY_AFTER_S) },
    })
  }

  /** The version that is held; one of an earlier run says nothing, for its numbers may have been given anew. */
  #versionOf(key: string): number {
    const held = this.#held.peek(key)
    return held?.run === this.#run ? (held.document?.version ?? 0) : 0
  }

  #hold(key: string, document: PolicyDocument, jws: string, run = this.#run): Held {
    const held: Held = { document, readAt: this.#options.clock.now(), run, stale: false, kid: kidOf(jws) }
    this.#held.set(key, held)
    this.#absent.delete(key)
    void this.#writes.add(async () => {
      // Named by the feed since: then it must not be found after a restart.
      if (this.#held.peek(key) !== held) return
      try {
        await this.#options.kept.set(documentKey(key), { jws, readAt: held.readAt, run: held.run } satisfies Stored)
      } catch (error) {
        this.#options.log.warn({ error, document: key }, 'a document could not be kept; it lives until the restart')
      }
    })
    return held
  }
}

function publicOf(held: Held): Held {
  return held.document?.type === 'project' ? { ...held, document: lapsed(held.document) } : held
}

async function verified(jws: string, verify: SnapshotOptions['verify']): Promise<PolicyDocument> {
  try {
    return await verify(jws)
  } catch (cause) {
    throw new RegistryError('UNAVAILABLE', 'The origin gave a policy that it has not signed.', undefined, { cause })
  }
}

/** There is one document of mirrors, and one of edges. */
const ALL = 'all'

function kidOf(jws: string): string | undefined {
  return decodeProtectedHeader(jws).kid
}

function keyOf(document: PolicyDocument): string {
  switch (document.type) {
    case 'project':
      return `project/${document.facts.name}`
    case 'principal':
      return `principal/${document.facts.id}`
    case 'mirrors':
    case 'edges':
      return `${document.type}/${ALL}`
  }
}

function splitKey(key: string): [PolicyDocument['type'], string] {
  const slash = key.indexOf('/')
  const type = key.slice(0, slash)
  return [type === 'project' || type === 'mirrors' || type === 'edges' ? type : 'principal', key.slice(slash + 1)]
}

function documentKey(key: string): string {
  return `documents/${key}`
}
