import { parseDigest } from '../../registry/spec/digests.ts'
import { parseRepositoryName, parseTag } from '../../registry/spec/names.ts'
import type { Database } from '../../schema/database.ts'
import { metadataStore } from '../../schema/metadata-store.ts'
import { createPreheatInstance, createPreheatPolicy } from '../../schema/preheat.ts'
import { createProject } from '../../schema/projects.ts'
import { createReplicationPolicy } from '../../schema/replication.ts'
import { startExecution } from '../../schema/replication-executions.ts'
import { startRun } from '../../schema/runs.ts'
import { createWebhookPolicy } from '../../schema/webhooks.ts'
import { harborApi } from '../api/harbor-api.ts'
import type { SearchableList } from '../api/lists.ts'
import { SEARCHES } from '../api/searches.ts'
import type { TestOrigin } from './origin.ts'

/** A list of the API where it is served. */
export interface ServedList {
  readonly operation: string
  /** With its parameters filled in, for what `fillLists` made. */
  readonly path: string
  /** Parameters that it cannot be asked without. */
  readonly needs: string
  /** Whether it takes `q=`. */
  readonly searched: boolean
  /** undefined: it takes `sort=`, and is not in the table of those that do. */
  readonly list: SearchableList | undefined
}

const ME = 'user:1'
const PARAMETERS: Readonly<Record<string, string>> = {
  project_name: 'team',
  project_name_or_id: 'team',
  repository_name: 'app',
  reference: 'latest',
  preheat_policy_name: 'p',
  webhook_policy_id: '1',
  execution_id: '1',
  id: '1',
}
/** What runs of preheat policies are numbered by: the first is of a webhook. */
const OF_PREHEAT = '2'

/** One thing of each kind that a list is of: project `team` with `app:latest`, and policies that have run. */
export async function fillLists(db: Database): Promise<void> {
  const project = await createProject(db, { name: 'team', ownerId: 1, public: false }, ME)
  const digest = parseDigest(`sha256:${'a'.repeat(64)}`)
  const descriptor = { mediaType: 'application/x', digest, size: 2 }
  const manifest = { descriptor, bytes: new Uint8Array([1, 2]), parsed: { mediaType: 'application/x', blobs: [], manifests: [] } }
  await metadataStore(db).putManifest(parseRepositoryName('team/app'), { ...manifest, tags: [parseTag('latest')] }, ME)
  const policy = { projectId: project.id, name: 'p', description: '', enabled: true }
  await createWebhookPolicy(db, { ...policy, targets: [], events: [] }, ME, ME)
  const run = { policyId: 1, trigger: 'MANUAL', event: 'e', detail: {}, tasks: [] } as const
  await startRun(db, { ...run, kind: 'webhook' })
  const instanceId = await createPreheatInstance(
    db,
    { name: 'i', description: '', endpoint: 'https://e', enabled: true, standard: true, insecure: false },
    ME,
  )
  const filters = { repository: '**', tag: '**', labels: [] }
  await createPreheatPolicy(db, { ...policy, instanceId, filters, trigger: 'manual', cron: null, extraAttributes: '' }, ME)
  await startRun(db, { ...run, kind: 'preheat' })
  const rule = await createReplicationPolicy(db, { name: 'r', trigger: 'manual', filters: [], creator: ME }, ME)
  await startExecution(db, { policyId: rule.id, trigger: 'manual', operator: ME })
}

/** Every list of the API that takes `sort=`: the one other that takes `q=` is the search for a word. */
export function servedLists({ origin }: TestOrigin): ServedList[] {
  return harborApi(origin.services).openAPIRegistry.definitions.flatMap((definition) => {
    if (definition.type !== 'route') return []
    const { method, path, request } = definition.route
    const shape = (request?.query as { readonly shape?: Readonly<Record<string, unknown>> } | undefined)?.shape
    if (shape === undefined || !('sort' in shape)) return []
    const list = Object.values(SEARCHES).find(({ query }) => query.sort === shape.sort && ('q' in shape ? query.q === shape.q : true))
    const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
      name === 'execution_id' && path.includes('preheat') ? OF_PREHEAT : (PARAMETERS[name] ?? '1'),
    )
    const needs = 'policy_id' in shape && path.endsWith('/jobs') ? 'policy_id=1&' : path === '/labels' ? 'scope=g&' : ''
    return [{ operation: `${method.toUpperCase()} ${path}`, path: `/api/v2.0${filled}`, needs, searched: 'q' in shape, list }]
  })
}

/**
 * Nothing; every form of every condition; each key with the next, and all at once; every order, alone, and the other way round with a key:
 * what makes the database's statements differ. `given`: better values than the examples, for keys that take only some.
 */
export function searchesOf({ examples, sortable }: SearchableList, given: Readonly<Record<string, readonly string[]>> = {}): string[] {
  const forms = Object.entries(examples).map(([key, own]) => given[key] ?? own)
  const firsts = forms.flatMap(([first]) => first ?? [])
  const pairs = firsts.slice(1).map((one, at) => `${firsts[at]},${one}`)
  const all = firsts.length > 2 ? [firsts.join(',')] : []
  const asked = (q: string, sort?: string) => new URLSearchParams({ ...(q !== '' && { q }), ...(sort !== undefined && { sort }) }).toString()
  const orders = sortable.flatMap((key, at) => [asked('', key), asked(firsts[(at + 1) % firsts.length] ?? '', `-${key}`)])
  return ['', ...[...forms.flat(), ...pairs, ...all].map((q) => asked(q)), ...orders]
}
