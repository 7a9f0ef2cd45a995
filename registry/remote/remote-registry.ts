import type { CreateHasher } from '../blob-store.ts'
import type { Clock } from '../clock.ts'
import type { Compression } from '../delta/compression.ts'
import type { Deltas } from '../delta/deltas.ts'
import type { Log } from '../log.ts'
import type { Registry } from '../registry.ts'
import { RegistryError } from '../spec/errors.ts'
import { isRepositoryName, type RepositoryName } from '../spec/names.ts'
import type { Authorizer, Credentials } from './authorizer.ts'
import { RemoteBlobs, type RemoteBlobsOptions } from './blobs.ts'
import type { ChallengeMemory } from './challenge-authorizer.ts'
import { Client } from './client.ts'
import { RemoteDeltas } from './deltas.ts'
import { retryAfterSeconds } from './errors.ts'
import { DEFAULT_LIMITS, type RemoteLimits } from './limits.ts'
import { listPage } from './lists.ts'
import { RemoteManifests } from './manifests.ts'
import { type RateLimit, rateLimitOf } from './rate-limit.ts'
import { RemoteReferrers } from './referrers.ts'
import { openSession, type SessionOptions, vendorContext } from './session.ts'
import { RemoteTags } from './tags.ts'
import { Taken } from './taken.ts'
import { type Fetch, type OnWait, type Reply, Transport } from './transport.ts'
import { RemoteUploads } from './uploads.ts'
import { generic } from './vendors/generic.ts'
import type { Vendor, VendorSession } from './vendors/vendor.ts'
import { RemoteVersions, VersionsKept } from './versions.ts'

/** What one caller asks for besides. */
export interface RemoteUse {
  /** What is looked at will be pushed to: one token does for both. */
  readonly pushes?: boolean
  /** Told of each wait before a request is sent again. */
  readonly onWait?: OnWait
}

export interface RemoteRegistryOptions {
  /** As a person would write it: `https://hub.docker.com`, `https://registry.example.com:5000`. */
  readonly url: URL
  readonly fetch: Fetch
  readonly clock: Clock
  readonly vendor?: Vendor
  /** Who we are. Without one, the registry's challenge is met with `credentials`, or anonymously without those. */
  readonly authorizer?: Authorizer
  readonly credentials?: Credentials | undefined
  /** Whether it is asked what it wants of those who come before anything else, and once, for whoever has much to ask at once. Default false. */
  readonly asksFirst?: boolean
  /** Hosts that may be shown the credentials, besides the registry's own domain. */
  readonly tokenHosts?: readonly string[]
  /** Where the address of its token service is kept over a restart: with it, the first request already carries a token. */
  readonly challengeMemory?: ChallengeMemory
  /** With it, a blob read as a whole is verified on the way; without it, that is left to the reader. */
  readonly createHasher?: CreateHasher
  /** Blobs are given as the fetch gives them, without a deadline and a count of ours: for a server that sees to both, before a client to which the runtime can hand them on by itself. */
  readonly passBlobs?: boolean
  /** With it, deltas can be moved to and from a site of ours. */
  readonly compression?: Compression
  readonly limits?: Partial<RemoteLimits>
  /** In [0, 1): spreads retries. */
  readonly random?: () => number
  readonly onRateLimit?: (observed: RateLimit) => void
  readonly log?: Log
}

/**
 * A Registry over somebody else's HTTP API. It lives as long as the process knows the registry: tokens are shared by all that `with` opens.
 *
 * What is not there is `undefined`. Otherwise it throws RegistryError: DENIED (it refuses us), TOOMANYREQUESTS (with `Retry-After` where it
 * says when), UNAVAILABLE (no answer, 5xx, deadlines), UPSTREAM_INVALID (wrong answers), and on pushes what it says of what we sent.
 */
export class RemoteRegistry {
  /** Where its API is. */
  readonly url: URL
  readonly vendor: Vendor
  readonly #transport: Transport
  readonly #authorizer: Authorizer
  readonly #session: VendorSession
  readonly #blobs: RemoteBlobsOptions
  readonly #compression: Compression | undefined
  readonly #versions: VersionsKept
  readonly #heads: Taken
  readonly #single: Taken

  constructor(options: RemoteRegistryOptions) {
    const { fetch, clock, vendor = generic, createHasher, passBlobs = false, random = Math.random, onRateLimit, log } = options
    this.vendor = vendor
    this.url = vendor.base(options.url)
    const limits = { ...DEFAULT_LIMITS, ...options.limits }
    const onReply = ({ status, headers, url }: Reply) => {
      log?.debug({ upstream: url.host, path: url.pathname, status }, 'upstream answered')
      const observed = rateLimitOf(status, headers, retryAfterSeconds(headers, clock.now()))
      if (observed) onRateLimit?.(observed)
    }
    this.#transport = new Transport({ fetch, clock, limits, random, onReply })
    const session = openSession(sessionOptions(options, this.url))
    this.#session = session
    this.#authorizer = options.authorizer ?? session.authorizer
    this.#blobs = { createHasher, pass: passBlobs }
    this.#compression = options.compression
    this.#versions = new VersionsKept(clock)
    this.#heads = new Taken(clock, limits.headlessMs)
    this.#single = new Taken(clock, limits.sessionsOnlyMs)
  }

  /** Of a registry that may have to be asked where its API is. @throws RegistryError when it does not say */
  static async open(options: RemoteRegistryOptions, signal?: AbortSignal): Promise<RemoteRegistry> {
    const { vendor = generic, url } = options
    const located = await vendor.locate?.(vendorContext(sessionOptions(options, vendor.base(url))), signal)
    return new RemoteRegistry(located === undefined ? options : { ...options, url: located })
  }

  /**
   * The registry for one caller: `signal` ends everything that is asked through it, also streams. `pushes`: what it looks at it will push to, and asks
   * for the right to both at once.
   */
  with(signal?: AbortSignal, use: RemoteUse = {}): Registry {
    const client = this.#client(signal, use)
    const { deleteTag } = this.#session
    return {
      repository: (name) => {
        const manifests = new RemoteManifests(client, name, this.#heads)
        return {
          name,
          manifests,
          tags: new RemoteTags(client, name, deleteTag && ((tag) => deleteTag(name, tag, signal))),
          blobs: new RemoteBlobs(client, name, this.#blobs),
          uploads: new RemoteUploads(client, name, this.#single),
          referrers: new RemoteReferrers(client, name, manifests),
          ...(client.vendor.versions === true && { versions: new RemoteVersions(client, name, this.#versions) }),
        }
      },
      repositories: async (page) => {
        if (this.#session.repositories) return this.#session.repositories(page, signal)
        const accept = (entry: unknown): entry is RepositoryName => typeof entry === 'string' && isRepositoryName(entry)
        const what = 'the catalog'
        const slice = await listPage(client, { path: '/v2/_catalog', scopes: ['registry:catalog:*'], page, field: 'repositories', accept, what })
        if (slice === undefined)
          throw new RegistryError('UNSUPPORTED', `${this.url.host} has no catalog of its repositories.`, { upstream: this.url.host })
        return slice
      },
    }
  }

  /** undefined: it is no site of ours. */
  deltas(name: RepositoryName, signal?: AbortSignal, use: RemoteUse = {}): Deltas | undefined {
    return (
      this.vendor.deltas &&
      this.#compression &&
      new RemoteDeltas(this.#client(signal, use), name, { compression: this.#compression, single: this.#single })
    )
  }

  /** Whether it is there and takes who we are. @throws RegistryError that says what is wrong */
  async ping(signal?: AbortSignal): Promise<void> {
    const client = this.#client(signal)
    const reply = await client.send({ method: 'GET', url: '/v2/', scopes: [], repeatable: true })
    if (reply.status !== 200) throw await client.errorOf(reply, 'a look at its API')
    await reply.discard()
  }

  /** Learns how it wants to be asked, once, so that no caller's request makes that trip. @throws RegistryError when it does not answer */
  async acquaint(signal?: AbortSignal): Promise<void> {
    await this.#authorizer.acquaint?.(signal)
  }

  /** Makes what must be there before something is pushed to `name`, for instance its project. */
  async prepare(name: RepositoryName, signal?: AbortSignal): Promise<void> {
    await this.#session.prepare?.(name, signal)
  }

  #client(signal: AbortSignal | undefined, use: RemoteUse = {}): Client {
    return new Client({ base: this.url, vendor: this.vendor, transport: this.#transport, authorizer: this.#authorizer, signal, ...use })
  }
}

function sessionOptions(options: RemoteRegistryOptions, base: URL): SessionOptions {
  const { vendor = generic, fetch, clock, random = Math.random, url: typed, credentials, tokenHosts, challengeMemory: memory, asksFirst } = options
  const transport = new Transport({ fetch, clock, limits: { ...DEFAULT_LIMITS, ...options.limits }, random })
  return { vendor, typed, base, credentials, transport, tokenHosts, memory, asksFirst }
}
