import type { RepositoryName, Tag } from '../../registry/spec/names.ts'
import type { Database } from '../../schema/database.ts'
import { type DeletedTag, listDeletedTags } from '../../schema/metadata/tombstones.ts'
import type { ReplicationPolicy } from '../../schema/replication.ts'
import { LIST_PAGE, TAGS_OF_A_TASK } from '../limits.ts'
import { readFilters } from './filters.ts'
import type { Resource } from './resources.ts'

/**
 * What is known to be deleted here and the filters let through, of one repository or of all, in one order; with `behind`, only what comes
 * after the last tag of that. What was deleted has no labels or kind any more: a rule that asks for some leaves it where it is.
 */
export async function* deletions(
  db: Database,
  policy: Pick<ReplicationPolicy, 'filters'>,
  behind: Resource | undefined,
  only?: RepositoryName,
): AsyncGenerator<Resource> {
  const filters = readFilters(policy.filters)
  if (filters.artifact !== undefined) return
  let batch: { repository: RepositoryName; tags: Tag[] } | undefined
  const last = behind?.tags.at(-1)
  for (let after: DeletedTag | undefined = behind && last && { repository: behind.repository, name: last }; ; ) {
    const page = await listDeletedTags(db, { after, only }, LIST_PAGE)
    for (const { repository, name } of page) {
      if (!filters.name(repository) || !filters.tag(name)) continue
      if (batch !== undefined && (batch.repository !== repository || batch.tags.length === TAGS_OF_A_TASK)) {
        yield batch
        batch = undefined
      }
      batch ??= { repository, tags: [] }
      batch.tags.push(name)
    }
    after = page.at(-1)
    if (page.length < LIST_PAGE) break
  }
  if (batch !== undefined) yield batch
}
