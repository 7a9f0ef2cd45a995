import { pushImage, type TestImage } from '../images.ts'
import { type Counts, noCounts } from './counts.ts'
import { startDistribution } from './distribution.ts'
import { type Faults, noFaults } from './faults.ts'
import { Front, type SeenRequest } from './front.ts'
import type { TokenService } from './tokens.ts'

export interface UpstreamOptions {
  /** Who may log in: name → password. */
  readonly users?: Readonly<Record<string, string>>
  /** Seconds that a token lives. */
  readonly tokenLife?: number
  /** Repositories that only users may read. */
  readonly isPrivate?: (repository: string) => boolean
  /** Pulls before 429, as Hub counts them. */
  readonly pulls?: number
  /** Whether blobs are redirected to another host. true when absent. */
  readonly redirects?: boolean
  readonly port?: number
}

/** A stand-in for Docker Hub: distribution's own registry behind a front with Hub's manners, and faults at will. */
export interface Upstream extends AsyncDisposable {
  readonly url: URL
  /** The registry behind the front: a back door for tools that push. */
  readonly behind: URL
  /** Where blobs are redirected to. */
  readonly cdnUrl: URL
  /** Live. */
  readonly counts: Readonly<Counts>
  /** Live; set its fields. */
  readonly faults: Faults
  readonly tokens: TokenService
  readonly seen: readonly SeenRequest[]
  /** Requests that brought credentials to the host behind a redirect. */
  readonly leaks: readonly string[]
  /** Counts from nothing again. */
  reset(): void
  /** Ends all faults. */
  heal(): void
  /** Puts an image there by a back door: nothing of it is counted, nothing goes wrong. */
  push(repository: string, image: TestImage, ...tags: readonly string[]): Promise<void>
  /** Removes a manifest by a back door, and with it the tags that point at it. */
  remove(repository: string, digest: string): Promise<void>
  /** @throws when credentials came to where they do not belong */
  close(): Promise<void>
}

/** undefined: distribution's registry is not installed, and a line said how to get it. */
export async function startUpstream(options: UpstreamOptions = {}): Promise<Upstream | undefined> {
  const distribution = await startDistribution()
  if (distribution === undefined) return undefined
  const front = new Front({
    behind: distribution.url,
    users: options.users ?? {},
    tokenLife: options.tokenLife ?? 300,
    isPrivate: options.isPrivate ?? (() => false),
    pulls: options.pulls ?? 1_000_000,
    redirects: options.redirects ?? true,
  })
  await front.listen(options.port ?? 0)
  const close = async () => {
    await front.close()
    await distribution[Symbol.asyncDispose]()
    if (front.leaks.length > 0) throw new Error(`credentials were sent to the host behind a redirect: ${front.leaks.join(', ')}`)
  }
  return {
    url: front.url,
    behind: distribution.url,
    cdnUrl: front.cdnUrl,
    get counts() {
      return front.counts
    },
    faults: front.faults,
    tokens: front.tokens,
    get seen() {
      return front.seen
    },
    leaks: front.leaks,
    reset() {
      front.counts = noCounts()
      front.seen = []
    },
    heal() {
      Object.assign(front.faults, noFaults())
    },
    push: (repository, image, ...tags) => pushImage({ url: distribution.url, repository }, image, ...tags),
    async remove(repository, digest) {
      const answer = await fetch(new URL(`/v2/${repository}/manifests/${digest}`, distribution.url), { method: 'DELETE' })
      if (answer.status !== 202) throw new Error(`deleting ${repository}@${digest} answered ${answer.status}`)
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}
