import type { FillTable } from '../registry/fill/index.ts'
import type { PullThroughCounters } from '../registry/pull-through/context.ts'
import type { Shown } from '../runtime/observe/exposition.ts'
import type { MeshStatus } from './mesh.ts'
import type { SpaceStatus } from './space/space.ts'
import { VERSION } from './version.ts'

/** How often an upstream may still be asked with one credential. */
export interface ShownBudget {
  readonly upstream: string
  readonly credential: string
  readonly limit?: number
  readonly remaining?: number
}

export interface EdgeMetricsOptions {
  readonly sources: () => ReadonlyMap<string, PullThroughCounters>
  readonly budgets: () => Promise<readonly ShownBudget[]>
  readonly fills: Pick<FillTable, 'counters' | 'size' | 'bytesHeld'>
  readonly space: () => SpaceStatus
  readonly mesh: () => MeshStatus
}

/** What an edge shows of itself to Prometheus. */
export function edgeMetrics(options: EdgeMetricsOptions): readonly Shown[] {
  const { fills, space, mesh } = options
  const bySource = (of: (counters: PullThroughCounters) => Readonly<Record<string, number>>, label: string) => () =>
    [...options.sources()].flatMap(([source, counters]) =>
      Object.entries(of(counters)).map(([name, value]) => ({ labels: { source, [label]: name }, value })),
    )
  const budgets = (of: (budget: ShownBudget) => number | undefined) => async () =>
    (await options.budgets()).flatMap((budget) => {
      const value = of(budget)
      return value === undefined ? [] : [{ labels: { upstream: budget.upstream, credential: budget.credential }, value }]
    })
  return [
    counter(
      'atoll_edge_hits_total',
      'Answered from the cache.',
      ['source', 'kind'],
      bySource(({ blobHits, manifestHits, tagHits }) => ({ blob: blobHits, manifest: manifestHits, tag: tagHits }), 'kind'),
    ),
    counter(
      'atoll_edge_misses_total',
      'The source had to be asked.',
      ['source', 'kind'],
      bySource(({ blobMisses, manifestMisses, tagMisses }) => ({ blob: blobMisses, manifest: manifestMisses, tag: tagMisses }), 'kind'),
    ),
    counter(
      'atoll_edge_stale_total',
      'Tags served though their source could not confirm them.',
      ['source', 'kind'],
      bySource(({ tagsStale }) => ({ tag: tagsStale }), 'kind'),
    ),
    counter(
      'atoll_edge_source_requests_total',
      'Questions to a source about manifests and tags.',
      ['source', 'method'],
      bySource(({ sourceHeads, sourceGets }) => ({ HEAD: sourceHeads, GET: sourceGets }), 'method'),
    ),
    counter(
      'atoll_edge_blob_bytes_total',
      'Bytes of blobs: `hit` was served from the store, `fetched` came from the source.',
      ['source', 'way'],
      bySource(({ bytesHit, bytesFetched }) => ({ hit: bytesHit, fetched: bytesFetched }), 'way'),
    ),
    counter(
      'atoll_edge_fill_bytes_served_total',
      'Bytes of blobs that went to clients while they were being filled.',
      [],
      () => fills.counters.bytesServed,
    ),
    counter('atoll_edge_fills_total', 'Fills by what became of them; `joined` are requests that found one under way.', ['end'], () => {
      const { fills: begun, joined, completed, abandoned, resumed, cuts, wrong, failed, unstored } = fills.counters
      const ends = { begun, joined, completed, abandoned, resumed, cut: cuts, wrong, failed, passed_through: unstored }
      return Object.entries(ends).map(([end, value]) => ({ labels: { end }, value }))
    }),
    gauge('atoll_edge_fills_in_progress', 'Fills under way or waiting for their turn.', () => fills.size),
    gauge('atoll_edge_fill_memory_bytes', 'What fills hold in memory.', () => fills.bytesHeld),
    gauge('atoll_edge_cache_bytes', 'Bytes that the cache holds.', () => space().stored),
    gauge('atoll_edge_cache_reserved_bytes', 'Bytes promised to fills under way.', () => space().reserved),
    gauge('atoll_edge_cache_capacity_bytes', 'Bytes that the cache may hold, when a fill last asked; absent without a limit.', () => {
      const { capacity } = space()
      return capacity === undefined ? [] : [{ labels: {}, value: capacity }]
    }),
    gauge('atoll_edge_cache_blobs', 'Blobs and drafts that the cache holds.', () => space().blobs),
    counter('atoll_edge_cache_evicted_total', 'Blobs that made room.', [], () => space().evicted),
    counter('atoll_edge_cache_evicted_bytes_total', 'Their bytes.', [], () => space().evictedBytes),
    counter('atoll_edge_cache_refused_total', 'Fills that found no room and were passed through.', [], () => space().refused),
    gauge('atoll_edge_feed_lag_seconds', 'Since the origin last confirmed what this edge knows; absent before it ever has.', () => {
      const { lag } = mesh()
      return lag === null ? [] : [{ labels: {}, value: lag / 1000 }]
    }),
    gauge('atoll_edge_connected', '1 while the origin’s feed is heard.', () => (mesh().state === 'connected' ? 1 : 0)),
    {
      ...gauge(
        'atoll_upstream_limit',
        'How often an upstream may be asked in its window.',
        budgets(({ limit }) => limit),
      ),
      labels: BUDGET,
    },
    {
      ...gauge(
        'atoll_upstream_remaining',
        'How often it may still be asked.',
        budgets(({ remaining }) => remaining),
      ),
      labels: BUDGET,
    },
    { ...gauge('atoll_edge_info', 'Which version runs.', () => [{ labels: { version: VERSION }, value: 1 }]), labels: ['version'] },
  ]
}

const BUDGET = ['upstream', 'credential']

function counter(name: string, help: string, labels: readonly string[], read: Shown['read']): Shown {
  return { name, help, kind: 'counter', labels, read }
}

function gauge(name: string, help: string, read: Shown['read']): Shown {
  return { name, help, kind: 'gauge', read }
}
