import { randomUUID } from 'node:crypto'
import { type Clock, inTime, systemClock } from '../registry/clock.ts'
import { FillLeases, FillTable } from '../registry/fill/index.ts'
import { jsonAnswer } from '../registry/http/exchange.ts'
import type { Log } from '../registry/log.ts'
import type { Fetch } from '../registry/remote/index.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import { admitted } from '../runtime/admission/admission.ts'
import { createPasswords } from '../runtime/credentials/passwords.ts'
import { Throttle } from '../runtime/credentials/throttle.ts'
import { createFetch } from '../runtime/fetch.ts'
import { WholeResponse } from '../runtime/http/whole-response.ts'
import { type HttpServer, serveHttp } from '../runtime/http-server.ts'
import { createLogger } from '../runtime/logger.ts'
import { observedFetch } from '../runtime/observe/fetch.ts'
import { Exposition } from '../runtime/observe/metrics-page.ts'
import { observed } from '../runtime/observe/observed.ts'
import { RequestIdentity } from '../runtime/observe/request-id.ts'
import { AnswerTimes } from '../runtime/observe/times.ts'
import { Places } from '../runtime/places.ts'
import { SettingsError } from '../runtime/settings/read.ts'
import { createHasher } from '../stores/hasher.ts'
import { edgeApp } from './app.ts'
import { Grants } from './away/grants.ts'
import { awayLogin } from './away/login.ts'
import { Spool } from './away/spool.ts'
import { keyPair, macKey } from './identity.ts'
import { Introductions } from './introductions.ts'
import type { Kept } from './kept.ts'
import { knowledgeOf } from './knowledge.ts'
import { ENDING_MS, FILL_CONNECTIONS } from './limits.ts'
import { Link } from './link.ts'
import { forgetRunsBefore } from './lost-runs.ts'
import type { MeshStatus } from './mesh.ts'
import { edgeMetrics } from './metrics.ts'
import { NearestEdge } from './nearest/nearest.ts'
import { neighboursOf } from './neighbours/open.ts'
import { PushThrough } from './push-through/push-through.ts'
import { cacheReport, fillReport } from './report.ts'
import { SECURITY_HEADERS } from './security-headers.ts'
import type { EdgeConfig } from './settings.ts'
import { Sources } from './sources.ts'
import { openEdgeStores } from './stores.ts'
import { originLogin } from './token-service.ts'
import { Tokens } from './tokens.ts'
import { VERSION } from './version.ts'
import { warmImage } from './warm/warm-image.ts'
import { WarmOnPush } from './warm/warm-on-push.ts'
import { WithoutStore } from './without-store/without-store.ts'

export interface StartEdgeOptions {
  readonly config: EdgeConfig
  /** Instead of `edge.enrolment_token`: asked for a token only if this edge is not enrolled yet. */
  readonly enrolmentToken?: () => Promise<string>
  /** Instead of the system's, for tests. */
  readonly clock?: Clock
  readonly monotonic?: () => number
  readonly log?: Log
  readonly fetch?: Fetch
}

export interface RunningEdge {
  /** Where it listens. */
  readonly url: string
  /** Where `/metrics` is by itself; undefined: beside the registry. */
  readonly metricsUrl: string | undefined
  /** Resolves when it is a member of its origin. @throws EnrolmentRefused */
  readonly joined: Promise<void>
  status(): MeshStatus
  /** Tells load balancers and neighbours to send nothing more; everything is answered all the same. */
  leave(): void
  close(): Promise<void>
}

/**
 * Starts an edge in this process; resolves when it listens. Until it has joined its origin it answers 503.
 * @throws SettingsError, and the system's error when the port is taken
 */
export async function startEdge({ config, ...options }: StartEdgeOptions): Promise<RunningEdge> {
  const originUrl = config['edge.origin_url']
  if (originUrl === undefined) throw new SettingsError(['edge.origin_url is missing: an edge needs to know where its origin is.'])
  const clock = options.clock ?? systemClock
  const log = options.log ?? createLogger({ level: config['log.level'] })
  const newId = () => randomUUID()
  const grace = config['edge.grace'] * 1000
  const { blobs, records, kept, space, leases, health } = await openEdgeStores(config, { clock, log })
  const filling = { createHasher, clock, log, limits: { connections: FILL_CONNECTIONS } }
  const fillLeases = leases && new FillLeases({ objects: leases, clock, log, newId, owner: await ownerOf(kept, newId) })
  void fillLeases?.tidy()
  const fills = new FillTable({ ...filling, blobs, ...(fillLeases && { leases: fillLeases }) })
  const identity = new RequestIdentity(newId)
  const given = options.fetch
  const fetchFor =
    given === undefined ? fetches((fetcher) => observedFetch(fetcher, { identity, log })) : () => observedFetch(given, { identity, log })
  const ending = new AbortController()
  let leaving = false
  const unwell = async () => {
    if (leaving) return 'this edge is about to end'
    return (await health?.answers()) === false ? 'the store of this edge does not answer' : undefined
  }

  const parts: {
    link?: Link
    sources?: Sources
    passing?: WithoutStore | undefined
    warm?: WarmOnPush
    introductions?: Introductions
    app?: ReturnType<typeof edgeApp>
  } = {}
  const places = Places.of({
    networks: config['edge.nearest.networks'],
    header: config['edge.nearest.header'],
    places: config['edge.nearest.places'],
  })
  const times = new AnswerTimes()
  const page = new Exposition(
    edgeMetrics({
      sources: () => parts.sources?.counters.bySource ?? new Map(),
      budgets: async () => (await parts.sources?.memory.budgets()) ?? [],
      fills: {
        counters: fills.counters,
        get size() {
          return fills.size + (parts.passing?.fills.size ?? 0)
        },
        get bytesHeld() {
          return fills.bytesHeld + (parts.passing?.fills.bytesHeld ?? 0)
        },
      },
      space: () => space.status(),
      mesh: () => parts.link?.status(),
    }),
    times,
  )
  const separate = config['edge.metrics']
  const server = await serveHttp({
    fetch: observed(
      admitted(
        {
          max: config['edge.transfers.max'],
          perClient: config['edge.transfers.per_client'],
          perProject: config['edge.transfers.per_project'],
          waiting: config['edge.transfers.waiting'],
          clientRate: config['edge.transfers.client_rate'],
          projectRate: config['edge.transfers.project_rate'],
        },
        clock,
        async (request, { remoteAddress, believed = false }) =>
          (await parts.app?.(request, remoteAddress || undefined, places?.of(request.headers, remoteAddress, believed))) ?? starting(request),
      ),
      { identity, times, log, ...(separate === undefined && { page }) },
    ),
    host: config['edge.host'],
    port: config['edge.port'],
    headers: SECURITY_HEADERS,
    trustedProxies: config['edge.trusted_proxies'],
    log,
  })
  let metrics: HttpServer | undefined
  try {
    if (separate !== undefined) metrics = await page.serve(separate, log)
    const link = await Link.open({
      originUrl: new URL(originUrl),
      fetch: fetchFor({ verifyTls: true }),
      kept,
      clock,
      monotonic: options.monotonic ?? (() => performance.now()),
      random: Math.random,
      newId,
      log,
      grace,
      enrolmentToken: config['edge.enrolment_token'] ?? options.enrolmentToken,
      url: config['edge.url'] ?? server.url,
      version: VERSION,
      listener: {
        apply: async (entries) => {
          await (parts.passing ?? parts.sources)?.forget(entries)
          parts.warm?.apply(entries)
          parts.introductions?.apply(entries)
        },
        restart: async (run) => {
          if (leases === undefined) void forgetRunsBefore(run, { records, signal: ending.signal, log })
        },
      },
      heard: async (budgets) => await parts.sources?.memory.learn(budgets),
      report: async () => {
        const { hits, misses, stale, bytesHit } = parts.sources?.counters.totals() ?? { hits: 0, misses: 0, stale: 0, bytesHit: 0 }
        const { bytesServed, bytesFetched } = fills.counters
        const cache = space.status()
        const upstreams = await parts.sources?.memory.budgets()
        return {
          hits,
          misses,
          bytesServed: bytesHit + bytesServed,
          bytesFetched,
          diskBytes: cache.stored,
          stale,
          fills: fillReport(fills.counters),
          caches: [cacheReport(config['edge.storage.kind'], cache)],
          upstreams,
        }
      },
      unwell,
      stated: config['edge.url'],
    })
    parts.link = link
    const neighbours = neighboursOf(config, { mesh: link, fetch: fetchFor({ verifyTls: true }), clock, log })
    const nearby = neighbours && { nearby: () => neighbours }
    const sourcing = { ...nearby, mesh: link, fetchFor, createHasher, clock, log }
    const sources = new Sources({ ...sourcing, cache: { blobs, records }, fills })
    parts.sources = sources
    parts.passing =
      health &&
      (await WithoutStore.open({
        stored: sources,
        sources: sourcing,
        fills: { ...filling, counters: fills.counters },
        away: () => health.away,
        kept,
        clock,
        log,
      }))
    parts.warm = new WarmOnPush({
      mesh: () => link,
      warm: ({ name, tag, platforms }, signal) =>
        warmImage(sources.open(signal, { ahead: true }).repository(name), { tag }, { platforms, signal, tell: () => {} }),
      log,
      signal: ending.signal,
    })
    const introductions = new Introductions({ mesh: link, sources, log, signal: ending.signal })
    parts.introductions = introductions
    const pushes = new PushThrough({
      get origin() {
        return link.origin.url
      },
      fetch: fetchFor({ verifyTls: true }),
      mesh: link,
      cache: { blobs, ofOrigin: () => sources.ofOrigin },
      createHasher,
      clock,
      log,
      newId,
    })
    if (!health?.away) await pushes.sweep()
    const tokens = new Tokens({ origin: link.origin, newId })
    const known = new Grants({
      kept,
      hashes: createPasswords(),
      key: await macKey(await keyPair(kept), 'grants'),
      throttle: new Throttle(clock),
      clock,
      log,
      grace,
    })
    const login = awayLogin({
      origin: originLogin(link.origin, (principal) => link.offer(principal), { mesh: link, clock, log }),
      known,
      mesh: link,
      tokens,
      knowledge: knowledgeOf(link),
      log,
    })
    const spool = await Spool.open({ kept, mesh: link, clock, newId, log })
    parts.app = edgeApp({
      mesh: link,
      pulled: (pulled) => spool.note(pulled),
      ...(places && { nearest: new NearestEdge({ mesh: link, tokens, fetch: fetchFor({ verifyTls: true }), clock, log }) }),
      askedByNeighbour: (digest) => neighbours?.askedFor(digest),
      sources: parts.passing ?? sources,
      tokens,
      pushes,
      mirror: { project: config['edge.mirror.project'], host: config['edge.mirror.host'] },
      login,
      region: () => (link.origin.enrolled ? link.origin.member.enrolment.region : ''),
      version: VERSION,
      url: config['edge.url'],
      unwell,
      newId,
      log,
      whole: (bytes, init) => new WholeResponse(bytes, init),
    })
    const joined = link.join(ending.signal)
    const running = joined.then(
      async () => {
        introductions.begin()
        await Promise.all([link.run(ending.signal), spool.run(ending.signal), parts.passing?.run(ending.signal)])
      },
      (error: unknown) => log.error({ err: error }, 'This edge could not join its origin.'),
    )
    const counting = new AbortController()
    const counted = space.run(counting.signal)
    log.info({ url: server.url, origin: originUrl }, 'The edge listens.')
    return {
      url: server.url,
      joined,
      metricsUrl: metrics?.url,
      status: () => link.status(),
      leave: () => {
        leaving = true
      },
      close: async () => {
        await server.close()
        await metrics?.close()
        ending.abort(new DOMException('The edge ends.', 'AbortError'))
        await running
        // A store that hangs keeps nobody from ending: what was not written down is found anew.
        await inTime(clock, ENDING_MS, Promise.all([fills.close(), parts.passing?.fills.close()]))
        // Last, so that what the fills left is written down.
        counting.abort()
        await inTime(clock, ENDING_MS, counted)
      },
    }
  } catch (error) {
    await metrics?.close()
    await server.close()
    throw error
  }
}

/** What this edge is called among those that share its bucket, at each of its starts. */
async function ownerOf(kept: Kept, newId: () => string): Promise<string> {
  const known = await kept.get('lease-owner')
  if (typeof known === 'string') return known
  const owner = newId()
  await kept.set('lease-owner', owner)
  return owner
}

function starting(request: Request): Response {
  const error = new RegistryError('UNAVAILABLE', 'This edge is starting. Try again in a moment.')
  return jsonAnswer(request, error.toJSON(), { 'Retry-After': '1' }, error.status)
}

/** One pool of connections for those whose certificates must be right, and one for the others. */
function fetches(observe: (fetcher: Fetch) => Fetch): (options: { readonly verifyTls: boolean }) => Fetch {
  const strict = observe(createFetch())
  const lenient = observe(createFetch({ verifyTls: false }))
  return ({ verifyTls }) => (verifyTls ? strict : lenient)
}
