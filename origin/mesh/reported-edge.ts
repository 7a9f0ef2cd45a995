import type { EdgeStats } from '../../schema/tables/mesh.ts'

/** An edge as it has told of itself. */
export interface ReportedEdge {
  readonly name: string
  readonly region: string
  readonly connected: boolean
  /** Milliseconds since the epoch; null: it was never heard of. */
  readonly lastSeenAt: number | null
  /** Empty before its first report. */
  readonly stats: EdgeStats
}
