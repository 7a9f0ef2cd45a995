import { cacheMetrics } from '../runtime/observe/cache-metrics.ts'
import { gauge, type Shown } from '../runtime/observe/shown.ts'
import { headOfChanges } from '../schema/changes.ts'
import { countJobs } from '../schema/jobs.ts'
import { edgeReportMetrics } from './edge-metrics.ts'
import type { OpenOrigin } from './open.ts'

type Metered = Pick<OpenOrigin, 'proxies' | 'mesh'> & { readonly services: Pick<OpenOrigin['services'], 'db'> }

/** What an origin shows of itself to Prometheus. Jobs and edges are those of all its processes: the database says them. */
export function originMetrics({ services: { db }, proxies, mesh }: Metered): readonly Shown[] {
  return [
    gauge('atoll_edges', 'Edges by how they are.', {
      labels: ['status'],
      read: async () => Object.entries(await mesh.edgesByStatus()).map(([status, value]) => ({ labels: { status }, value })),
    }),
    gauge('atoll_jobs', 'Work for the control plane, by what it is and how far.', {
      labels: ['kind', 'state'],
      read: async () => (await countJobs(db)).map(({ kind, state, total }) => ({ labels: { kind, state }, value: total })),
    }),
    gauge('atoll_feed_head', 'The number of the last change, which edges follow.', { read: () => headOfChanges(db) }),
    ...edgeReportMetrics(
      () => mesh.edgeReports(),
      () => db.clock.now(),
    ),
    ...cacheMetrics('atoll_proxy', () => proxies.counters.bySource, proxies.fills),
  ]
}
