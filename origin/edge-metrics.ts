import type { CacheReport, UpstreamBudget } from '../mesh/enrolment.ts'
import { counter, gauge, type Shown } from '../runtime/observe/shown.ts'
import type { ReportedEdge } from './mesh/reported-edge.ts'

/** All that is shown of one visit is of the same moment. */
const REMEMBERED_MS = 1_000

/**
 * What edges have reported last, each under its name and region: of a Worker there is no other page, and of an edge behind somebody's NAT
 * none that a Prometheus could reach. The names are not those of an edge's own page, so that nothing is counted twice where both are read.
 */
export function edgeReportMetrics(reports: () => AsyncIterable<ReportedEdge>, now: () => number): readonly Shown[] {
  const newest = remembered(reports, now)
  const each = (labels: readonly string[], of: (edge: ReportedEdge) => Iterable<Value>) => ({
    labels: ['edge', 'region', ...labels],
    read: async () =>
      (await newest()).flatMap((edge) =>
        [...of(edge)].map(({ value, ...more }) => ({ labels: { edge: edge.name, region: edge.region, ...more.labels }, value })),
      ),
  })
  const one = (of: (edge: ReportedEdge) => number | undefined) => each([], (edge) => known(of(edge)))
  const ofCaches = (of: (cache: CacheReport) => number | undefined) =>
    each(['cache'], ({ stats }) => (stats.caches ?? []).flatMap((cache) => known(of(cache), { cache: cache.name })))
  const ofBudgets = (of: (budget: UpstreamBudget) => number | undefined) =>
    each(['upstream', 'credential'], ({ stats }) =>
      (stats.upstreams ?? []).flatMap((budget) => known(of(budget), { upstream: budget.upstream, credential: budget.credential })),
    )
  return [
    gauge(
      'atoll_edge_report_connected',
      '1 while the edge follows the feed.',
      one(({ connected }) => (connected ? 1 : 0)),
    ),
    gauge(
      'atoll_edge_report_unwell',
      '1 while the edge says that nobody should be sent to it; absent before its first report.',
      one(({ stats }) => (stats.hits === undefined ? undefined : Number(stats.unwell !== undefined))),
    ),
    gauge(
      'atoll_edge_report_age_seconds',
      'Since the origin last heard of the edge; absent before it ever has.',
      one(({ lastSeenAt }) => (lastSeenAt === null ? undefined : Math.max(0, now() - lastSeenAt) / 1000)),
    ),
    counter(
      'atoll_edge_report_hits_total',
      'Manifests and blobs answered from the cache.',
      one(({ stats }) => stats.hits),
    ),
    counter(
      'atoll_edge_report_misses_total',
      'Those for which the source had to be asked.',
      one(({ stats }) => stats.misses),
    ),
    counter(
      'atoll_edge_report_stale_total',
      'Tags served though their source could not confirm them.',
      one(({ stats }) => stats.stale),
    ),
    counter(
      'atoll_edge_report_served_bytes_total',
      'Bytes of blobs that went to clients.',
      one(({ stats }) => stats.bytesServed),
    ),
    counter(
      'atoll_edge_report_fetched_bytes_total',
      'Bytes of blobs that came from sources.',
      one(({ stats }) => stats.bytesFetched),
    ),
    counter(
      'atoll_edge_report_fills_total',
      'Fills by what became of them.',
      each(['end'], ({ stats }) => Object.entries(stats.fills ?? {}).map(([end, value]) => ({ labels: { end }, value }))),
    ),
    gauge(
      'atoll_edge_report_cache_bytes',
      'Bytes that a cache holds: a disk, or a bucket with a budget.',
      ofCaches(({ stored }) => stored),
    ),
    gauge(
      'atoll_edge_report_cache_reserved_bytes',
      'Bytes promised to fills under way.',
      ofCaches(({ reserved }) => reserved),
    ),
    gauge(
      'atoll_edge_report_cache_capacity_bytes',
      'Bytes that it may hold; absent without a limit.',
      ofCaches(({ capacity }) => capacity),
    ),
    gauge(
      'atoll_edge_report_cache_blobs',
      'Blobs and drafts that it holds.',
      ofCaches(({ blobs }) => blobs),
    ),
    counter(
      'atoll_edge_report_cache_evicted_total',
      'Blobs that made room.',
      ofCaches(({ evicted }) => evicted),
    ),
    counter(
      'atoll_edge_report_cache_evicted_bytes_total',
      'Their bytes.',
      ofCaches(({ evictedBytes }) => evictedBytes),
    ),
    counter(
      'atoll_edge_report_cache_refused_total',
      'Fills that found no room and were passed through.',
      ofCaches(({ refused }) => refused),
    ),
    gauge(
      'atoll_edge_report_upstream_limit',
      'How often an upstream may be asked from there in its window.',
      ofBudgets(({ limit }) => limit),
    ),
    gauge(
      'atoll_edge_report_upstream_remaining',
      'How often it may still be asked.',
      ofBudgets(({ remaining }) => remaining),
    ),
  ]
}

interface Value {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

function known(value: number | undefined, labels: Readonly<Record<string, string>> = {}): Value[] {
  return value === undefined ? [] : [{ labels, value }]
}

function remembered(reports: () => AsyncIterable<ReportedEdge>, now: () => number): () => Promise<readonly ReportedEdge[]> {
  let last: { readonly at: number; readonly reports: Promise<readonly ReportedEdge[]> } | undefined
  return async () => {
    if (last === undefined || Math.abs(now() - last.at) >= REMEMBERED_MS) last = { at: now(), reports: Array.fromAsync(reports()) }
    const { reports: asked } = last
    try {
      return await asked
    } catch (error) {
      last = undefined
      throw error
    }
  }
}
