import PQueue from 'p-queue'
import type { FeedEntry } from '../../mesh/feed.ts'
import { names } from '../../policy/patterns.ts'
import type { Log } from '../../registry/log.ts'
import { isRepositoryName, isTag, type RepositoryName, splitProject, type Tag } from '../../registry/spec/names.ts'
import type { Mesh } from '../mesh.ts'
import { RULED_AT_ONCE, RULED_WAITING } from './limits.ts'

/** What a rule wants to have here. */
export interface Ruled {
  readonly name: RepositoryName
  readonly tag: Tag
  /** As warmImage takes them. */
  readonly platforms: readonly string[]
}

export interface WarmOnPushOptions {
  readonly mesh: () => Pick<Mesh, 'facts' | 'origin'>
  /** Fetches it. @throws what pulling throws */
  readonly warm: (what: Ruled, signal: AbortSignal) => Promise<void>
  readonly log: Log
  /** Ends what is under way. */
  readonly signal: AbortSignal
}

/** Fetches what was pushed to the origin, where a project's rule says so, before anybody asks for it. */
export class WarmOnPush {
  readonly #options: WarmOnPushOptions
  readonly #queue = new PQueue({ concurrency: RULED_AT_ONCE })

  constructor(options: WarmOnPushOptions) {
    this.#options = options
  }

  /** Takes note of news. Nobody waits for what comes of it. */
  apply(entries: readonly FeedEntry[]): void {
    for (const entry of entries) {
      if (entry.kind !== 'tag' || entry.digest === null || !isRepositoryName(entry.repository) || !isTag(entry.tag)) continue
      const { repository, tag } = entry
      if (this.#queue.size >= RULED_WAITING) {
        this.#options.log.warn({ repository, tag }, 'too much waits to be warmed; this comes with its first pull')
        continue
      }
      void this.#queue.add(() => this.#warm(repository, tag))
    }
  }

  /** Resolves when nothing is under way or waiting. */
  async idle(): Promise<void> {
    await this.#queue.onIdle()
  }

  async #warm(name: RepositoryName, tag: Tag): Promise<void> {
    const { mesh, warm, log, signal } = this.#options
    if (signal.aborted) return
    try {
      const rules = await this.#rules(name)
      if (rules === undefined || !rules.patterns.some((pattern) => names(pattern, splitProject(name).rest, tag))) return
      if (rules.edges.length > 0 && !rules.edges.includes(mesh().origin.member.enrolment.name)) return
      await warm({ name, tag, platforms: rules.platforms }, signal)
      log.info({ repository: name, tag }, 'warmed what was pushed')
    } catch (error) {
      log.warn({ repository: name, tag, error }, 'what was pushed could not be warmed; it comes with its first pull')
    }
  }

  /** A project's document is only fetched if there is a rule in it. */
  async #rules(name: RepositoryName) {
    const { facts } = this.#options.mesh()
    const { project } = splitProject(name)
    if (!(await facts.mirrors())?.warmed.includes(project)) return undefined
    return (await facts.project(project))?.warming
  }
}
