import type { FillTable } from '../../registry/fill/index.ts'
import type { PullThroughCounters } from '../../registry/pull-through/counters.ts'
import { counter, gauge, type Shown } from './shown.ts'

/** What a cache of other registries did: the same at an edge and for an origin's proxy caches. `prefix`: how the names begin. */
export function cacheMetrics(
  prefix: string,
  sourcesNow: () => ReadonlyMap<string, PullThroughCounters>,
  fills: Pick<FillTable, 'counters' | 'size' | 'bytesHeld'>,
): readonly Shown[] {
  const bySource = (label: string, of: (counters: PullThroughCounters) => Readonly<Record<string, number>>) => ({
    labels: ['source', label],
    read: () =>
      [...sourcesNow()].flatMap(([source, counters]) =>
        Object.entries(of(counters)).map(([name, value]) => ({ labels: { source, [label]: name }, value })),
      ),
  })
  return [
    counter(
      `${prefix}_hits_total`,
      'Requests of clients that were answered from the cache: a `manifest` by digest or by `tag`, a `blob`. Each counts once.',
      bySource('kind', ({ blobHits, manifestHits, tagHits }) => ({ blob: blobHits, manifest: manifestHits, tag: tagHits })),
    ),
    counter(
      `${prefix}_misses_total`,
      'Requests of clients for which the source had to be asked, or was being asked already. What is asked for ahead is none.',
      bySource('kind', ({ blobMisses, manifestMisses, tagMisses }) => ({ blob: blobMisses, manifest: manifestMisses, tag: tagMisses })),
    ),
    counter(
      `${prefix}_stale_total`,
      'Tags served though their source could not confirm them.',
      bySource('kind', ({ tagsStale }) => ({ tag: tagsStale })),
    ),
    counter(
      `${prefix}_source_requests_total`,
      'Questions to a source about manifests and tags.',
      bySource('method', ({ sourceHeads, sourceGets }) => ({ HEAD: sourceHeads, GET: sourceGets })),
    ),
    counter(
      `${prefix}_blob_bytes_total`,
      'Bytes of blobs: `hit` was served from the store, `fetched` came from the source.',
      bySource('way', ({ bytesHit, bytesFetched }) => ({ hit: bytesHit, fetched: bytesFetched })),
    ),
    counter(`${prefix}_fill_bytes_served_total`, 'Bytes of blobs that went to clients while they were being filled.', {
      read: () => fills.counters.bytesServed,
    }),
    counter(
      `${prefix}_fills_total`,
      'Fills by what became of them; `joined` are requests that found one under way, `fell_behind` those that one without a store left behind.',
      {
        labels: ['end'],
        read: () => {
          const { fills: begun, joined, completed, abandoned, resumed, cuts, wrong, failed, unstored, behind } = fills.counters
          const ends = { begun, joined, completed, abandoned, resumed, cut: cuts, wrong, failed, passed_through: unstored, fell_behind: behind }
          return Object.entries(ends).map(([end, value]) => ({ labels: { end }, value }))
        },
      },
    ),
    gauge(`${prefix}_fills_in_progress`, 'Fills under way or waiting for their turn.', { read: () => fills.size }),
    gauge(`${prefix}_fill_memory_bytes`, 'What fills hold in memory.', { read: () => fills.bytesHeld }),
  ]
}
