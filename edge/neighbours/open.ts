import type { EdgeConfig } from '../settings.ts'
import { Neighbours, type NeighboursOptions } from './neighbours.ts'

/** As the settings say; undefined: this edge keeps to itself. */
export function neighboursOf(config: EdgeConfig, options: Omit<NeighboursOptions, 'scope'>): Neighbours | undefined {
  const scope = config['edge.neighbours']
  return scope === 'off' ? undefined : new Neighbours({ ...options, scope })
}
