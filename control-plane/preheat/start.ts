import { doublestar } from '../../policy/doublestar.ts'
import type { Database } from '../../schema/database.ts'
import { findPreheatInstance, type PreheatFilters, type PreheatPolicy, type TaggedArtifact, taggedArtifacts } from '../../schema/preheat.ts'
import { startRun } from '../../schema/runs.ts'
import { LIST_PAGE, PREHEAT_LIMIT } from '../limits.ts'

/** A test of artifacts. @throws SyntaxError for patterns that are none */
export function preheatFilter({ repository, tag, labels }: PreheatFilters): (artifact: Omit<TaggedArtifact, 'digest'>) => boolean {
  const [isRepository, isTag] = [doublestar(repository), doublestar(tag)]
  return (artifact) =>
    // Patterns name repositories without their project.
    isRepository(artifact.repository.slice(artifact.repository.indexOf('/') + 1)) &&
    isTag(artifact.tag) &&
    labels.every((label) => artifact.labels.includes(label))
}

export interface StartPreheat {
  readonly trigger: 'MANUAL' | 'SCHEDULED' | 'EVENT'
  /** Only this; undefined: all that the policy means. */
  readonly only?: TaggedArtifact | undefined
  /** With a key that was ever used nothing begins. */
  readonly key?: string | undefined
}

/** Begins a run of a policy: a task for each artifact. undefined: it has none to warm, or the key was used. @throws SyntaxError */
export async function startPreheat(db: Database, policy: PreheatPolicy, { trigger, only, key }: StartPreheat): Promise<number | undefined> {
  const instance = await findPreheatInstance(db, { id: policy.instanceId })
  if (instance === undefined) return undefined
  const wanted = preheatFilter(policy.filters)
  const artifacts = only === undefined ? await allOf(db, policy, wanted) : [only].filter(wanted)
  if (artifacts.length === 0 && trigger === 'EVENT') return undefined
  return await startRun(db, {
    kind: 'preheat',
    policyId: policy.id,
    trigger,
    event: 'PREHEAT',
    detail: { instance: instance.name, artifacts: artifacts.length },
    tasks: artifacts.map(({ repository, tag, digest }) => ({
      target: instance.endpoint,
      detail: { repository, tag, digest, insecure: instance.insecure },
    })),
    ...(key !== undefined && { key }),
  })
}

async function allOf(db: Database, { projectId }: PreheatPolicy, wanted: (artifact: TaggedArtifact) => boolean): Promise<TaggedArtifact[]> {
  const found: TaggedArtifact[] = []
  for (let last: TaggedArtifact | undefined; found.length < PREHEAT_LIMIT; ) {
    const page = await taggedArtifacts(db, projectId, last, LIST_PAGE)
    found.push(...page.filter(wanted))
    last = page.at(-1)
    if (page.length < LIST_PAGE) break
  }
  return found.slice(0, PREHEAT_LIMIT)
}
