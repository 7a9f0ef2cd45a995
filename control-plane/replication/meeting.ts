// A rule that takes leading components of names away can give two repositories of the source one name at the destination.

import type { Digest } from '../../registry/spec/digests.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { RepositoryName, Tag } from '../../registry/spec/names.ts'
import { copiesInto } from '../../schema/replication-tasks.ts'
import { LIST_PAGE } from '../limits.ts'
import { readResource } from './resources.ts'
import type { Work } from './work.ts'

/** The tags of a task that another repository of the same execution brings to the same name as well, each with that repository. */
export async function meetings({ db, payload, policy }: Work): Promise<ReadonlyMap<Tag, RepositoryName>> {
  const met = new Map<Tag, RepositoryName>()
  if (policy.destinationNamespace === '' || policy.destinationReplaceCount === 0) return met
  const { executionId, destination, repository, tags } = payload
  for (let after = 0; ; ) {
    const tasks = await copiesInto(db, executionId, destination, after, LIST_PAGE)
    for (const task of tasks) {
      const other = readResource(task.source)
      if (other === undefined || other.repository === repository) continue
      // The first of them is enough: all that get past this are then what that one is.
      for (const tag of tags) if (!met.has(tag) && other.tags.includes(tag)) met.set(tag, other.repository)
    }
    after = tasks.at(-1)?.id ?? after
    if (tasks.length < LIST_PAGE || met.size === tags.length) return met
  }
}

/** @throws RegistryError DENIED the tag is another artifact in the other repository: whichever came last would be what the destination has */
export async function refuseMeeting({ payload, source, signal }: Work, tag: Tag, other: RepositoryName): Promise<void> {
  const { repository, destination } = payload
  const registry = source.open(signal, 'system')
  const digestIn = async (name: RepositoryName): Promise<Digest | undefined> =>
    (await registry.repository(name).manifests.stat({ tag }))?.descriptor.digest
  const [ours, theirs] = await Promise.all([digestIn(repository), digestIn(other)])
  if (ours === undefined || theirs === undefined || ours === theirs) return
  throw new RegistryError(
    'DENIED',
    `${repository}:${tag} and ${other}:${tag} are different artifacts, and this rule gives both the name ${destination}:${tag}. Let it keep more of their names (dest_namespace_replace_count), or let only one of them through.`,
    { tag, repository, other },
  )
}
