import type { UpstreamBudget } from '../../mesh/enrolment.ts'
import { systemClock } from '../../registry/clock.ts'
import { FillTable } from '../../registry/fill/index.ts'
import { errorAnswer } from '../../registry/http/errors.ts'
import { resourceAt } from '../../registry/http/route.ts'
import { registryHandler } from '../../registry/http/routes.ts'
import { parseDigest } from '../../registry/spec/digests.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { parseRepositoryName } from '../../registry/spec/names.ts'
import { createHasher } from '../../stores/hasher.ts'
import { largePieces } from '../../stores/pieces.ts'
import { r2ObjectStore } from '../../stores/r2-object-store.ts'
import { ALARM_EVERY_MS, FILL_ALARMS } from '../limits.ts'
import { otherBuckets } from '../neighbours/buckets.ts'
import { Sources } from '../sources.ts'
import { warmImage } from '../warm/warm-image.ts'
import type { Ruled } from '../warm/warm-on-push.ts'
import { AHEAD_HEADER, askObject, BUCKET_HEADER, OBJECT_HOST } from './ask-object.ts'
import { bucketNames, bucketOf, type Env, type ObjectState } from './env.ts'
import { fixedLength } from './fixed-length.ts'
import { LinkedMesh } from './linked-mesh.ts'
import { workerLog } from './log.ts'
import { regionRegistry } from './region.ts'
import { FILL_NEWS_EVERY_MS } from './space/limits.ts'
import { Spaces } from './space/spaces.ts'
import { TOLD_PATH, type Told, WARM_PATH } from './tell-object.ts'
import { type Counts, difference, NO_COUNTS, sum, Teller } from './teller.ts'

interface Wanted {
  readonly bucket: string
  readonly repository: string
  readonly digest: string
  readonly alarms: number
}

const WANTED = 'wanted'

interface Parts {
  readonly bucket: string
  readonly mesh: LinkedMesh
  sources: Sources
  readonly fills: FillTable
  readonly teller: Teller
  /** What has happened since it was last asked for. */
  readonly seen: () => Partial<Counts>
}

/** Uploads end at the origin, so nobody here learns when a digest that was asked for becomes one that is there. */
const LIMITS = { unknownDigestMs: 0 }

/**
 * What must be one at a time in a region: the fetching of one blob, or of what a repository has under its tags. Requests come here when they
 * may see what they ask for, and only for what the region does not have. It belongs to none of them: the client that came first may leave.
 */
export class FillObject {
  readonly #state: ObjectState
  readonly #env: Env
  readonly #spaces: Spaces
  #parts: Parts | undefined

  constructor(state: ObjectState, env: Env) {
    this.#state = state
    this.#env = env
    this.#spaces = new Spaces(env, FILL_NEWS_EVERY_MS)
  }

  async fetch(request: Request): Promise<Response> {
    if (new URL(request.url).pathname === TOLD_PATH) {
      const { bucket, entries } = (await request.json()) as Told
      await this.#open(bucket).sources.forget(entries)
      return new Response(null, { status: 204 })
    }
    const bucket = request.headers.get(BUCKET_HEADER) ?? 'BUCKET'
    const parts = this.#open(bucket)
    if (new URL(request.url).pathname === WARM_PATH) return await this.#warm(request, bucket)
    const handle = registryHandler({
      log: workerLog(),
      ping: async () => {},
      open: async () => {
        await parts.mesh.settle()
        return parts.sources.open(request.signal, { ahead: request.headers.has(AHEAD_HEADER) })
      },
    })
    const response = await handle(request)
    const resource = resourceAt(new URL(request.url).pathname)
    if (resource?.kind === 'blob' && request.method === 'GET' && response.ok && parts.fills.size > 0) {
      await this.#want({ bucket, repository: resource.name, digest: resource.key, alarms: 0 })
    }
    this.#state.waitUntil(this.#tell(parts))
    this.#state.waitUntil(this.#spaces.tell())
    return fixedLength(response)
  }

  /** Takes up a fill whose object died, and stays with it to its end. */
  async alarm(): Promise<void> {
    const wanted = (await this.#state.storage.get(WANTED)) as Wanted | undefined
    if (wanted === undefined) return
    const { mesh, sources, fills } = this.#open(wanted.bucket)
    const digest = parseDigest(wanted.digest)
    const stored = await this.#spaces.blobs(wanted.bucket).stat(digest)
    if (stored !== undefined || wanted.alarms >= FILL_ALARMS) {
      await this.#state.storage.delete(WANTED)
      return
    }
    await this.#want({ ...wanted, alarms: wanted.alarms + 1 })
    if (fills.size > 0) return
    await mesh.settle()
    try {
      const body = await sources
        .open(new AbortController().signal, { ahead: true })
        .repository(parseRepositoryName(wanted.repository))
        .blobs.open(digest)
      await body?.stream?.pipeTo(new WritableStream())
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error
      workerLog().warn({ error, digest }, 'a fill could not be taken up yet')
    }
  }

  /** What a rule of its project wants to have here. Blobs come through their own objects. */
  async #warm(request: Request, bucket: string): Promise<Response> {
    const { mesh, sources } = this.#open(bucket)
    const { signal } = request
    const { name, tag, platforms } = (await request.json()) as Ruled
    try {
      await mesh.settle()
      // Whoever says that it was pushed has heard so before us.
      await sources.ofOrigin.forgetTag(name, tag)
      const repository = sources.open(signal, { ahead: true }).repository(name)
      const { blobs } = regionRegistry({ ahead: true, env: this.#env, bucket, mesh, spaces: this.#spaces, log: workerLog() }, signal).repository(name)
      await warmImage({ ...repository, manifests: repository.manifests, blobs }, { tag }, { platforms, signal, tell: () => {} })
      return new Response(null, { status: 204 })
    } catch (error) {
      return errorAnswer(error, request, { log: workerLog(), requestId: () => crypto.randomUUID() })
    }
  }

  /** What was asked here, and what came, once it has. */
  async #tell({ fills, teller, seen }: Parts): Promise<void> {
    await fills.idle()
    // However they have ended: nothing was cut off that an alarm should take up.
    if (fills.size === 0) await this.#state.storage.delete(WANTED)
    teller.count(seen())
    await Promise.all([teller.tell(), this.#spaces.tell()])
  }

  async #want(wanted: Wanted): Promise<void> {
    await this.#state.storage.put(WANTED, wanted)
    await this.#state.storage.setAlarm(Date.now() + ALARM_EVERY_MS)
  }

  #open(bucket: string): Parts {
    if (this.#parts?.bucket === bucket) return this.#parts
    const env = this.#env
    const log = workerLog()
    const records = r2ObjectStore(bucketOf(env, bucket))
    const blobs = this.#spaces.blobs(bucket)
    const others = bucketNames(env).flatMap((name) =>
      name === bucket ? [] : [{ records: r2ObjectStore(bucketOf(env, name)), blobs: this.#spaces.blobs(name) }],
    )
    const fills = new FillTable({ blobs, createHasher, clock: systemClock, log })
    // A blob has an object of its own: whoever asks for it later comes there.
    const warm = async (name: string, digest: string) => {
      const response = await askObject(
        { env, bucket, what: `blob ${digest}`, ahead: true },
        new URL(`https://${OBJECT_HOST}/v2/${name}/blobs/${digest}`),
        {},
      )
      await response.body?.cancel()
    }
    const common = {
      fetchFor: strictFetch,
      cache: { blobs, records },
      fills,
      warm,
      createHasher,
      clock: systemClock,
      log,
      limits: LIMITS,
      nearby: (sourceId: string) => otherBuckets(others, sourceId, log),
      budgetHeard: (budget: UpstreamBudget) => {
        teller.budget(budget)
        this.#state.waitUntil(teller.tell())
      },
    }
    const sourcesOn = (mesh: LinkedMesh) => new Sources({ mesh, ...common })
    let told = NO_COUNTS
    let before = NO_COUNTS
    const mesh: LinkedMesh = new LinkedMesh({
      env,
      onEntries: async (entries) => {
        if (entries !== undefined) return await parts.sources.forget(entries)
        before = sum(before, parts.sources.counters.totals())
        parts.sources = sourcesOn(mesh)
        await parts.sources.memory.learn(budgets)
      },
      onBudgets: async (news) => {
        budgets = news
        await parts.sources.memory.learn(news)
      },
    })
    let budgets: readonly UpstreamBudget[] = []
    const teller = new Teller({
      send: (telling) => mesh.tell(telling),
      clock: systemClock,
      now: () => mesh.origin.now(),
      newId: () => crypto.randomUUID(),
      log,
    })
    const seen = () => {
      const { bytesFetched, fills: begun, completed, unstored, failed, wrong } = fills.counters
      const ofFills = { fillsBegun: begun, fillsCompleted: completed, fillsPassed: unstored, fillsFailed: failed, fillsWrong: wrong }
      const all = sum(sum(before, parts.sources.counters.totals()), { bytesFetched, ...ofFills })
      const since = difference(all, told)
      told = all
      return since
    }
    const parts: Parts = { bucket, mesh, fills, sources: sourcesOn(mesh), teller, seen }
    this.#parts = parts
    return parts
  }
}

/** What the world answers, in pieces that are worth the JavaScript they cost. The fetch throws RegistryError UNSUPPORTED where a certificate should not be looked at: Cloudflare always looks. */
function strictFetch({ verifyTls }: { readonly verifyTls: boolean }) {
  return async (url: URL, init: RequestInit) => {
    if (!verifyTls && url.protocol === 'https:') {
      throw new RegistryError('UNSUPPORTED', 'An edge on Cloudflare cannot skip the check of an upstream’s certificate.')
    }
    const response = await fetch(url, init)
    if (response.body === null) return response
    const length = response.headers.get('Content-Length')
    return new Response(largePieces(response.body, length === null ? undefined : Number(length)), response)
  }
}
