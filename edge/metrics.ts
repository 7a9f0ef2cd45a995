import type { UpstreamBudget } from '../mesh/enrolment.ts'
import type { FillTable } from '../registry/fill/index.ts'
import type { PullThroughCounters } from '../registry/pull-through/counters.ts'
import { cacheMetrics } from '../runtime/observe/cache-metrics.ts'
import { counter, gauge, type Shown } from '../runtime/observe/shown.ts'
import type { MeshStatus } from './mesh.ts'
import type { SpaceStatus } from './space/space.ts'
import { VERSION } from './version.ts'

export interface EdgeMetricsOptions {
  readonly sources: () => ReadonlyMap<string, PullThroughCounters>
  readonly budgets: () => Promise<readonly UpstreamBudget[]>
  readonly fills: Pick<FillTable, 'counters' | 'size' | 'bytesHeld'>
  readonly space: () => SpaceStatus
  /** undefined: it has not opened its link to the origin yet. */
  readonly mesh: () => MeshStatus | undefined
}

/** What an edge shows of itself to Prometheus. */
export function edgeMetrics({ sources, budgets, fills, space, mesh }: EdgeMetricsOptions): readonly Shown[] {
  const ofBudgets = (of: (budget: UpstreamBudget) => number | undefined) => ({
    labels: ['upstream', 'credential'],
    read: async () =>
      (await budgets()).flatMap((budget) => {
        const value = of(budget)
        return value === undefined ? [] : [{ labels: { upstream: budget.upstream, credential: budget.credential }, value }]
      }),
  })
  const known = (value: number | null | undefined) => (value === null || value === undefined ? [] : [{ labels: {}, value }])
  return [
    ...cacheMetrics('atoll_edge', sources, fills),
    gauge('atoll_edge_cache_bytes', 'Bytes that the cache holds.', { read: () => space().stored }),
    gauge('atoll_edge_cache_reserved_bytes', 'Bytes promised to fills under way.', { read: () => space().reserved }),
    gauge('atoll_edge_cache_capacity_bytes', 'Bytes that the cache may hold, when a fill last asked; absent without a limit.', {
      read: () => known(space().capacity),
    }),
    gauge('atoll_edge_cache_blobs', 'Blobs and drafts that the cache holds.', { read: () => space().blobs }),
    counter('atoll_edge_cache_evicted_total', 'Blobs that made room.', { read: () => space().evicted }),
    counter('atoll_edge_cache_evicted_bytes_total', 'Their bytes.', { read: () => space().evictedBytes }),
    counter('atoll_edge_cache_refused_total', 'Fills that found no room and were passed through.', { read: () => space().refused }),
    gauge('atoll_edge_feed_lag_seconds', 'Since the origin last confirmed what this edge knows; absent before it ever has.', {
      read: () => known(mesh()?.lag).map(({ labels, value }) => ({ labels, value: value / 1000 })),
    }),
    gauge('atoll_edge_connected', '1 while the origin’s feed is heard.', { read: () => (mesh()?.state === 'connected' ? 1 : 0) }),
    gauge(
      'atoll_upstream_limit',
      'How often an upstream may be asked in its window.',
      ofBudgets(({ limit }) => limit),
    ),
    gauge(
      'atoll_upstream_remaining',
      'How often it may still be asked.',
      ofBudgets(({ remaining }) => remaining),
    ),
    gauge('atoll_edge_info', 'Which version runs.', { labels: ['version'], read: () => [{ labels: { version: VERSION }, value: 1 }] }),
  ]
}
