import { homeOf } from '../../../mesh/home.ts'
import { logNormal, seeded } from './random.ts'

export interface EdgesOptions {
  readonly edges: number
  readonly regions: number
  readonly artifacts: number
  readonly pulls: number
  readonly seed: number
  /** Whom an edge fills from: nobody but the origin, the edges of its region, or all edges. */
  readonly neighbours: 'none' | 'region' | 'all'
}

export interface EdgesSeen {
  /** Bytes by which the origin was asked, and what clients got. */
  readonly egress: number
  readonly served: number
  /** Bytes between edges, and what the busiest gave to others against the average. */
  readonly between: number
  readonly busiest: number
  /** Bytes that all edges hold in the end. */
  readonly held: number
}

/**
 * Clients of all edges pull artifacts, the popular ones most (Zipf). Each edge has room for all that it fetches. A home that fetches for a
 * neighbour holds what it fetched, as the real one does.
 */
export function edgesSimulation({ edges, regions, artifacts, pulls, seed, neighbours }: EdgesOptions): EdgesSeen {
  const random = seeded(seed)
  const sizes = Float64Array.from({ length: artifacts }, () => logNormal(random, 2 * 2 ** 20, 1.2))
  const all = Array.from({ length: edges }, (_, index) => ({ id: `edge-${index}`, index }))
  const known = all.map(({ index }) =>
    neighbours === 'all' ? all : neighbours === 'none' ? [] : all.filter((other) => other.index % regions === index % regions),
  )
  const holds = new Uint8Array(Math.ceil((edges * artifacts) / 8))
  const has = (edge: number, artifact: number) => {
    const bit = edge * artifacts + artifact
    return ((holds[bit >> 3] as number) & (1 << (bit & 7))) !== 0
  }
  const give = (edge: number, artifact: number) => {
    const bit = edge * artifacts + artifact
    holds[bit >> 3] = (holds[bit >> 3] as number) | (1 << (bit & 7))
  }
  const gave = new Float64Array(edges)
  let [egress, served, between, held] = [0, 0, 0, 0]
  const fetch = (edge: number, artifact: number) => {
    egress += sizes[artifact] as number
    held += sizes[artifact] as number
    give(edge, artifact)
  }
  const homes = new Map<number, number>()
  for (let pull = 0; pull < pulls; pull++) {
    const edge = Math.floor(random() * edges)
    // Zipf with exponent 1, by its inverse.
    const artifact = Math.min(artifacts - 1, Math.floor(artifacts ** random()) - 1)
    const size = sizes[artifact] as number
    served += size
    if (has(edge, artifact)) continue
    const region = neighbours === 'all' ? 0 : edge % regions
    const key = artifact * regions + region
    let home = homes.get(key)
    if (home === undefined) {
      home = homeOf(`sha256:${artifact.toString(16).padStart(64, '0')}`, known[edge] ?? [])?.index ?? edge
      if (neighbours !== 'none') homes.set(key, home)
    }
    if (!has(home, artifact)) fetch(home, artifact)
    if (home === edge) continue
    between += size
    gave[home] = (gave[home] as number) + size
    held += size
    give(edge, artifact)
  }
  const most = gave.reduce((max, bytes) => Math.max(max, bytes), 0)
  return { egress, served, between, busiest: between === 0 ? 0 : most / (between / edges), held }
}
