import { RegistryError } from '../../registry/spec/errors.ts'
import type { AdmissionLimits } from '../../runtime/admission/admission.ts'
import { bytes } from '../../runtime/settings/bytes.ts'
import type { R2Binding } from '../../stores/r2-object-store.ts'
import { ISOLATE_TRANSFERS } from '../limits.ts'

/** The part of Cloudflare's bindings that is used here; see stores/r2-object-store.ts for why these are not Cloudflare's own types. */
export interface ObjectNamespace {
  idFromName(name: string): object
  get(id: object): ObjectStub
}

export interface ObjectStub {
  fetch(url: string | URL, init?: RequestInit): Promise<Response>
}

/** Of one request: what it starts may go on behind its answer. */
export interface RequestContext {
  waitUntil(work: Promise<unknown>): void
}

/** What an object keeps. Several keys at once are `KEYS_AT_ONCE` at most; a listing is in the order of the keys' bytes. */
export interface ObjectStorage {
  get(key: string): Promise<unknown>
  get(keys: string[]): Promise<Map<string, unknown>>
  put(key: string, value: unknown): Promise<void>
  put(values: Readonly<Record<string, unknown>>): Promise<void>
  delete(key: string): Promise<boolean>
  delete(keys: string[]): Promise<number>
  list(options: {
    readonly prefix: string
    readonly startAfter?: string
    readonly end?: string
    readonly limit?: number
  }): Promise<Map<string, unknown>>
}

/** Cloudflare's own bound. */
export const KEYS_AT_ONCE = 128

export interface ObjectState {
  readonly storage: ObjectStorage & {
    setAlarm(time: number): Promise<void>
    getAlarm(): Promise<number | null>
  }
  blockConcurrencyWhile<T>(work: () => Promise<T>): Promise<T>
  waitUntil(work: Promise<unknown>): void
}

/** What wrangler.toml gives a Worker. Buckets of regions are further bindings, named in REGIONS. */
export interface Env {
  readonly LINK: ObjectNamespace
  readonly FILL: ObjectNamespace
  readonly SPACE: ObjectNamespace
  readonly BUCKET: R2Binding
  /** Where the origin is. */
  readonly ORIGIN_URL: string
  /** The one-time token; needed once. */
  readonly ENROLMENT_TOKEN?: string
  /** Where clients reach this edge. */
  readonly EDGE_URL?: string
  /** Where clients reach the origin, to which their uploads go on; ORIGIN_URL when absent. */
  readonly UPLOADS_URL?: string
  /** The largest body of a request that Cloudflare lets through on this plan, in bytes; 100 MB when absent. */
  readonly UPLOAD_LIMIT?: string
  /** Seconds; a day when absent. */
  readonly GRACE?: string
  /** The project that answers dockerd's `registry-mirrors`, and the host by which such requests come. */
  readonly MIRROR_PROJECT?: string
  readonly MIRROR_HOST?: string
  /** What blobs may take in each bucket: `500G`, or `BUCKET=500G,BUCKET_EU=2T`. Without it a bucket has no end. */
  readonly CACHE_MAX_BYTES?: string
  /** How many blobs one isolate moves at once, in all, for one client and for one project, and how many may wait; `0` is no limit, but nobody waits. */
  readonly TRANSFERS_MAX?: string
  readonly TRANSFERS_PER_CLIENT?: string
  readonly TRANSFERS_PER_PROJECT?: string
  readonly TRANSFERS_WAITING?: string
  /** What never makes room: `library/*,team/app:v*`. */
  readonly CACHE_PINS?: string
  /** Which continent, country or data centre is near which other edge or region: `EU=fra-1,JP=tokyo`; clients there are sent on for blobs. */
  readonly NEAREST?: string
  /** Which continent (or data centre) has which bucket: `EU=BUCKET_EU,NA=BUCKET_US,FRA=BUCKET_EU`. */
  readonly REGIONS?: string
}

/** The names of the bucket bindings, the default first. */
export function bucketNames(env: Env): string[] {
  return [...new Set(['BUCKET', ...regions(env).map(([, bucket]) => bucket)])]
}

/** The bucket near where a request came in: by data centre, else by continent, else the default. */
export function bucketNameOf(env: Env, request: Request): string {
  const { colo = '', continent = '' } = whereOf(request)
  const map = new Map(regions(env))
  return map.get(colo) ?? map.get(continent) ?? 'BUCKET'
}

/** The edge or region that NEAREST names for where a request came in. */
export function placeOf({ NEAREST = '' }: Env, request: Request): string | undefined {
  if (NEAREST === '') return undefined
  const { colo = '', country = '', continent = '' } = whereOf(request)
  const map = new Map(pairs(NEAREST))
  return map.get(colo) ?? map.get(country) ?? map.get(continent)
}

/** As Cloudflare says. */
function whereOf(request: Request): { readonly colo?: string; readonly country?: string; readonly continent?: string } {
  return (request as { readonly cf?: ReturnType<typeof whereOf> }).cf ?? {}
}

/** @throws RegistryError UNKNOWN when REGIONS names a bucket that wrangler.toml does not bind */
export function bucketOf(env: Env, name: string): R2Binding {
  const bucket: R2Binding | undefined = Reflect.get(env, name)
  if (bucket === undefined) throw new RegistryError('UNKNOWN', `REGIONS names ${name}, and no bucket is bound to that.`)
  return bucket
}

export function uploadLimitOf({ UPLOAD_LIMIT }: Env): number {
  const bytes = Number(UPLOAD_LIMIT ?? SMALL_PLANS)
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : SMALL_PLANS
}

/** Cloudflare's limit of a request's body on its Free and Pro plans, in bytes. */
const SMALL_PLANS = 100_000_000

/**
 * How many bytes of blobs this bucket may hold; undefined: it has no end.
 * @throws RegistryError UNKNOWN when CACHE_MAX_BYTES says no amount
 */
export function budgetOf({ CACHE_MAX_BYTES = '' }: Pick<Env, 'CACHE_MAX_BYTES'>, bucket: string): number | undefined {
  if (CACHE_MAX_BYTES === '') return undefined
  const amount = CACHE_MAX_BYTES.includes('=') ? new Map(pairs(CACHE_MAX_BYTES)).get(bucket) : CACHE_MAX_BYTES.trim()
  if (amount === undefined) return undefined
  const read = bytes.read(amount)
  if (read === undefined) throw new RegistryError('UNKNOWN', `CACHE_MAX_BYTES says ${amount} where it should say ${bytes.expected}.`)
  return read
}

/** @throws RegistryError UNKNOWN when a variable says no number */
export function transferLimitsOf(env: Env): AdmissionLimits {
  const limit = (name: 'TRANSFERS_MAX' | 'TRANSFERS_PER_CLIENT' | 'TRANSFERS_PER_PROJECT' | 'TRANSFERS_WAITING', otherwise: number) => {
    const { [name]: text = '' } = env
    if (text === '') return otherwise
    if (/^\d{1,6}$/.test(text)) return Number(text)
    throw new RegistryError('UNKNOWN', `${name} says ${text} where it should say a number such as ${otherwise}.`)
  }
  return {
    max: limit('TRANSFERS_MAX', ISOLATE_TRANSFERS.max),
    perClient: limit('TRANSFERS_PER_CLIENT', ISOLATE_TRANSFERS.perClient),
    perProject: limit('TRANSFERS_PER_PROJECT', ISOLATE_TRANSFERS.perProject),
    waiting: limit('TRANSFERS_WAITING', ISOLATE_TRANSFERS.waiting),
    clientRate: 0,
    projectRate: 0,
  }
}

export function pinsOf({ CACHE_PINS = '' }: Pick<Env, 'CACHE_PINS'>): string[] {
  return CACHE_PINS.split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')
}

export function graceOf({ GRACE }: Env): number {
  const seconds = Number(GRACE ?? 86_400)
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : 0
}

function regions({ REGIONS = '' }: Env): [string, string][] {
  return pairs(REGIONS)
}

function pairs(text: string): [string, string][] {
  return text.split(',').flatMap((pair): [string, string][] => {
    const [where, bucket] = pair.split('=').map((part) => part.trim())
    return where && bucket ? [[where, bucket]] : []
  })
}
