import PQueue from 'p-queue'
import type { FeedEntry } from '../mesh/feed.ts'
import type { Log } from '../registry/log.ts'
import { UPSTREAMS_IN_MEMORY } from './limits.ts'
import type { Mesh } from './mesh.ts'
import type { Sources } from './sources.ts'

export interface IntroductionsOptions {
  readonly mesh: Pick<Mesh, 'facts'>
  readonly sources: Pick<Sources, 'acquaint'>
  readonly log: Log
  /** Ends them: whom nobody has met by then is met by the first client. */
  readonly signal: AbortSignal
}

/** Meets the upstreams of proxy caches, one after another, when this edge starts and when one comes along: the first client finds its way paved. */
export class Introductions {
  readonly #options: IntroductionsOptions
  readonly #rounds = new PQueue({ concurrency: 1 })

  constructor(options: IntroductionsOptions) {
    this.#options = options
  }

  /** Takes note of news. Nobody waits for what comes of it. */
  apply(entries: readonly FeedEntry[]): void {
    if (entries.some(({ kind }) => kind === 'mirrors')) this.begin()
  }

  /** Whoever is known already is not asked again. */
  begin(): void {
    // A round that waits sees what this one would.
    if (this.#rounds.size === 0) void this.#rounds.add(() => this.#round())
  }

  async #round(): Promise<void> {
    const { sources, log, signal } = this.#options
    for (const project of await this.#projects()) {
      if (signal.aborted) return
      try {
        await sources.acquaint(project, signal)
      } catch (error) {
        log.debug({ project, error }, 'an upstream could not be met; its first client does')
      }
    }
  }

  async #projects(): Promise<readonly string[]> {
    const { mesh, log } = this.#options
    try {
      const hosts = (await mesh.facts.mirrors())?.hosts ?? {}
      return [...new Set(Object.values(hosts).flat())].slice(0, UPSTREAMS_IN_MEMORY)
    } catch (error) {
      log.debug({ error }, 'which upstreams there are is not known now')
      return []
    }
  }
}
