export type { FillCounters, FillRequest, FillSource, Fills } from './fills.ts'
export { FillLeases } from './leases.ts'
export { FILL_LIMITS, type FillLimits } from './limits.ts'
export { FillTable, type FillTableOptions } from './table.ts'
