import type { Registry, Tags } from '../../registry/registry.ts'
import { parseRepositoryName, type RepositoryName, type Tag } from '../../registry/spec/names.ts'
import type { Slice } from '../../registry/spec/pages.ts'
import type { ReplicationPolicy } from '../../schema/replication.ts'
import { LIST_PAGE, TAGS_OF_A_TASK } from '../limits.ts'
import { readFilters } from './filters.ts'
import type { Resource } from './resources.ts'
import type { Site } from './sites.ts'

/** What has to be known of a site to say what a rule means there. */
export interface MatchedSite extends Pick<Site, 'facts'> {
  open(signal: AbortSignal, actor: string): TagSource
}

export interface TagSource extends Pick<Registry, 'repositories'> {
  repository(name: RepositoryName): { readonly tags: Pick<Tags, 'list'> }
}

/**
 * What a rule's filters let through at a site, TAGS_OF_A_TASK tags at a time, page by page, in one order; with `behind`, only what comes
 * after the last tag of that.
 */
export async function* matching(
  site: MatchedSite,
  policy: Pick<ReplicationPolicy, 'filters'>,
  behind: Resource | undefined,
  signal: AbortSignal,
): AsyncGenerator<Resource> {
  const filters = readFilters(policy.filters)
  const registry = site.open(signal, 'system')
  for await (const repository of names(registry, filters.literalNames, behind?.repository)) {
    if (!filters.name(repository)) continue
    let batch: Tag[] = []
    const last = repository === behind?.repository ? behind.tags.at(-1) : undefined
    for await (const tag of entries((page) => registry.repository(repository).tags.list(page), last)) {
      signal.throwIfAborted()
      if (!filters.tag(tag)) continue
      if (filters.artifact !== undefined) {
        const facts = await site.facts(repository, { tag }, signal)
        if (facts === undefined || !filters.artifact(facts)) continue
      }
      batch.push(tag)
      if (batch.length < TAGS_OF_A_TASK) continue
      yield { repository, tags: batch }
      batch = []
    }
    if (batch.length > 0) yield { repository, tags: batch }
  }
}

/** From `first` on, which was there when the list was begun. */
async function* names(
  registry: TagSource,
  literal: readonly string[] | undefined,
  first: RepositoryName | undefined,
): AsyncGenerator<RepositoryName> {
  if (literal) {
    const from = first === undefined ? 0 : Math.max(0, literal.indexOf(first))
    for (const name of literal.slice(from)) yield parseRepositoryName(name)
    return
  }
  if (first !== undefined) yield first
  yield* entries((page) => registry.repositories(page), first)
}

async function* entries<T extends string>(
  list: (page: { limit: number; last?: string }) => Promise<Slice<T> | undefined>,
  behind: T | undefined,
): AsyncGenerator<T> {
  for (let last = behind; ; ) {
    const slice: Slice<T> | undefined = await list({ limit: LIST_PAGE, ...(last !== undefined && { last }) })
    yield* slice?.items ?? []
    last = slice?.items.at(-1)
    if (slice?.more !== true || last === undefined) return
  }
}
