import type { CacheReport } from '../../mesh/enrolment.ts'
import type { FeedEntry } from '../../mesh/feed.ts'
import { systemClock } from '../../registry/clock.ts'
import { createPasswords } from '../../runtime/credentials/passwords.ts'
import { Throttle } from '../../runtime/credentials/throttle.ts'
import { createHasher } from '../../stores/hasher.ts'
import { r2ObjectStore } from '../../stores/r2-object-store.ts'
import { slicedBlobStore } from '../../stores/sliced-blob-store.ts'
import { Grants } from '../away/grants.ts'
import { Spool } from '../away/spool.ts'
import { keyPair, macKey } from '../identity.ts'
import type { Kept } from '../kept.ts'
import { ALARM_EVERY_MS, ENTRIES_KEPT } from '../limits.ts'
import { Link } from '../link.ts'
import { Sources } from '../sources.ts'
import { VERSION } from '../version.ts'
import { WarmOnPush } from '../warm/warm-on-push.ts'
import { Accounts } from './accounts.ts'
import { bucketNames, bucketOf, type Env, graceOf, type ObjectState } from './env.ts'
import { workerLog } from './log.ts'
import {
  type DocumentAnswer,
  type DocumentQuestion,
  errorResponse,
  type GrantAnswer,
  type GrantQuestion,
  type Poll,
  type PollAnswer,
} from './talk.ts'
import { warmObject } from './tell-object.ts'
import type { Telling } from './teller.ts'

/** One in the world for one edge: its key pair, its enrolment, its feed and the origin's documents. Everything else of the Worker asks it. */
export class LinkObject {
  readonly #state: ObjectState
  readonly #env: Env
  readonly #kept: Kept
  readonly #ready: Promise<{ readonly link: Link; readonly accounts: Accounts }>
  #grants: Promise<Grants> | undefined
  #entries: FeedEntry[] = []
  /** Everything after this is among the entries. */
  #since = 0
  #run = -1

  constructor(state: ObjectState, env: Env) {
    this.#state = state
    this.#env = env
    this.#kept = {
      get: (key) => state.storage.get(key),
      set: (key, value) => state.storage.put(key, value),
      delete: async (key) => {
        await state.storage.delete(key)
      },
      keys: async function* (prefix) {
        yield* (await state.storage.list({ prefix })).keys()
      },
    }
    this.#ready = state.blockConcurrencyWhile(() => this.#open())
  }

  async fetch(request: Request): Promise<Response> {
    try {
      const { link, accounts } = await this.#ready
      if ((await this.#state.storage.getAlarm()) === null) await this.#state.storage.setAlarm(Date.now() + ALARM_EVERY_MS)
      switch (new URL(request.url).pathname) {
        case '/poll':
          return Response.json(await this.#poll(link, accounts, (await request.json()) as Poll))
        case '/document':
          return Response.json(await this.#document(link, (await request.json()) as DocumentQuestion))
        case '/offer':
          await link.offer(((await request.json()) as { jws: string }).jws)
          return Response.json({})
        case '/tell':
          await accounts.take((await request.json()) as Telling)
          return Response.json({})
        case '/cache':
          await accounts.cacheIs((await request.json()) as CacheReport)
          return Response.json({})
        case '/grant':
          return Response.json(await this.#grant((await request.json()) as GrantQuestion))
        default:
          return Response.json({ code: 'UNSUPPORTED', message: 'The link is not asked this.', status: 404, headers: {} }, { status: 404 })
      }
    } catch (error) {
      return errorResponse(error)
    }
  }

  /** Keeps the feed followed when nobody asks for anything. */
  async alarm(): Promise<void> {
    await this.#ready
    await this.#state.storage.setAlarm(Date.now() + ALARM_EVERY_MS)
  }

  async #open() {
    const env = this.#env
    const enrolmentToken = env.ENROLMENT_TOKEN
    const made: { accounts?: Accounts } = {}
    const log = workerLog()
    const caches: Sources[] = []
    const forever = new AbortController().signal
    const warming: WarmOnPush = new WarmOnPush({
      mesh: () => link,
      warm: async (asked) => {
        for (const bucket of bucketNames(env)) await warmObject(env, bucket, asked)
      },
      log,
      signal: forever,
    })
    const link = await Link.open({
      originUrl: new URL(env.ORIGIN_URL),
      fetch: (url, init) => fetch(url, init),
      kept: this.#kept,
      clock: systemClock,
      monotonic: () => performance.now(),
      random: Math.random,
      newId: () => crypto.randomUUID(),
      log,
      grace: graceOf(env),
      // As a function, so that no start of this object costs a question whether its enrolment is still good.
      enrolmentToken: enrolmentToken === undefined ? undefined : async () => enrolmentToken,
      url: env.EDGE_URL ?? 'https://edge.invalid',
      stated: env.EDGE_URL,
      version: VERSION,
      listener: {
        apply: async (entries) => {
          for (const cache of caches) await cache.forget(entries)
          const dropped = Math.max(0, this.#entries.length + entries.length - ENTRIES_KEPT)
          this.#entries = [...this.#entries, ...entries]
          const last = this.#entries[dropped - 1]
          if (last !== undefined) this.#since = last.seq
          this.#entries = this.#entries.slice(dropped)
          warming.apply(entries)
        },
        restart: async (run) => {
          this.#run = run
          this.#entries = []
          this.#since = Number.POSITIVE_INFINITY
        },
      },
      heard: async (budgets) => await made.accounts?.hear(budgets),
      report: async () => ({ hits: 0, misses: 0, bytesServed: 0, bytesFetched: 0, diskBytes: 0, ...made.accounts?.report }),
    })
    const newId = () => crypto.randomUUID()
    const spool = await Spool.open({ kept: this.#kept, mesh: link, clock: systemClock, newId, log })
    const accounts = await Accounts.open({ kept: this.#kept, spool, now: () => systemClock.now() })
    made.accounts = accounts
    for (const name of bucketNames(env)) {
      const records = r2ObjectStore(bucketOf(env, name))
      const cache = { blobs: slicedBlobStore(records), records }
      const fills = { open: async () => undefined }
      caches.push(new Sources({ mesh: link, fetchFor: () => fetch, cache, fills, createHasher, clock: systemClock, log }))
    }
    this.#state.waitUntil(
      link.join(forever).then(
        async () => {
          await Promise.all([link.run(forever), spool.run(forever)])
        },
        (error: unknown) => log.error({ error }, 'this edge could not join its origin'),
      ),
    )
    return { link, accounts }
  }

  async #poll(link: Link, accounts: Accounts, { after, run, budgets }: Poll): Promise<PollAnswer> {
    const status = link.status()
    // What came before the first entry that we hold has been acted on by nobody who asks from there.
    if (this.#since === Number.POSITIVE_INFINITY && status.cursor > 0) this.#since = status.cursor
    const known = run === this.#run && after >= this.#since
    const news = budgets === undefined ? undefined : accounts.budgetsAfter(budgets)
    return {
      status,
      trusted: link.trusted,
      offset: link.origin.offset,
      origin: link.origin.url.href,
      ...(known && { entries: this.#entries.filter(({ seq }) => seq > after) }),
      ...(news && { budgets: news }),
      ...(link.origin.enrolled && {
        member: { enrolment: { ...link.origin.member.enrolment, jwks: link.origin.jwks }, key: await keyPair(this.#kept) },
      }),
    }
  }

  async #grant({ login, granted, client }: GrantQuestion): Promise<GrantAnswer> {
    this.#grants ??= this.#openGrants()
    const grants = await this.#grants
    if (granted === undefined) {
      const found = await grants.find(login, client)
      return found === undefined ? {} : { granted: found }
    }
    await grants.keep(login, granted)
    return {}
  }

  async #openGrants(): Promise<Grants> {
    const clock = systemClock
    const key = await macKey(await keyPair(this.#kept), 'grants')
    return new Grants({
      kept: this.#kept,
      // Half of the memory that a Node edge takes for it: an object of Cloudflare's has 128 MB for everything.
      hashes: createPasswords({ N: 2 ** 14, r: 8, p: 1 }),
      key,
      throttle: new Throttle(clock),
      clock,
      log: workerLog(),
      grace: graceOf(this.#env),
    })
  }

  async #document({ facts }: Link, { kind, name }: DocumentQuestion): Promise<DocumentAnswer> {
    const { cursor } = (await this.#ready).link.status()
    const document = await {
      project: () => facts.project(name),
      principal: () => facts.principal(name),
      mirrors: () => facts.mirrors(),
      edges: () => facts.edges(),
    }[kind]()
    return { cursor, ...(document && { document }) }
  }
}
