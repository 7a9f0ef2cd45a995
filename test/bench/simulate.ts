import { type EdgesOptions, edgesSimulation } from './simulate/edges.ts'
import { hubBothWays, mesh, type SitesOptions, type SitesSeen, SitesSimulation, star, type Topology, tree, treeBothWays } from './simulate/sites.ts'
import { printTable } from './table.ts'

const HOUR = 3_600_000

/**
 * Many sites and edges in virtual time: the real scheduler, planner, order of versions and choice of homes, over modelled stores and links.
 * ATOLL_SIMULATE_ONLY (first-sync, events, edges; all when absent), ATOLL_SIMULATE_SCALE (of 100 sites and 1,000 edges: their million artifacts and their pulls; 0.02 when absent), ATOLL_SIMULATE_SEED.
 */
export async function simulate(): Promise<void> {
  const scale = Number(process.env.ATOLL_SIMULATE_SCALE ?? 0.02)
  const seed = Number(process.env.ATOLL_SIMULATE_SEED ?? 1)
  const artifacts = Math.round(1_000_000 * scale)
  const only = process.env.ATOLL_SIMULATE_ONLY
  const size = { sites: 100, artifacts, seed }
  if (only === undefined || only === 'first-sync') await firstSyncs(size)
  if (only === undefined || only === 'events') await events(size)
  if (only === undefined || only === 'edges') edges({ edges: 1_000, artifacts, pulls: Math.round(5_000_000 * scale), seed })
}

async function firstSyncs(size: Pick<SitesOptions, 'sites' | 'artifacts' | 'seed'>): Promise<void> {
  const cases: readonly (readonly [Topology, number])[] = [
    [star('push', 'batches'), 4],
    [star('push', 'batches'), 64],
    [star('pull', 'batches'), 4],
    [tree(4, 'push', 'batches'), 4],
    [tree(4, 'pull', 'batches'), 4],
    [tree(4, 'pull', 'batches'), 16],
  ]
  const rows: string[][] = []
  for (const [topology, concurrency] of cases) {
    const began = performance.now()
    const seen = await new SitesSimulation({ ...size, topology, concurrency }).firstSync()
    rows.push(tell([topology.name, String(concurrency), ...columns(seen), `${((performance.now() - began) / 1000).toFixed(0)} s`]))
  }
  const head = ['rules', 'jobs at once', ...COLUMNS, 'took here']
  printTable(`first sync of ${size.artifacts} artifacts to ${size.sites - 1} sites`, head, rows)
}

async function events(size: Pick<SitesOptions, 'sites' | 'artifacts' | 'seed'>): Promise<void> {
  const rows: string[][] = []
  for (const [topology, concurrency, pushes] of [
    [hubBothWays, 4, 100],
    [hubBothWays, 64, 100],
    [treeBothWays(4), 4, 100],
    [treeBothWays(4), 4, 400],
    // Each of its pushes is 9,801 tasks.
    [mesh, 4, 5],
  ] as const) {
    const began = performance.now()
    const seen = await new SitesSimulation({ ...size, topology, concurrency }).pushes(pushes, HOUR)
    const at = (part: number) => `${((seen.delays[Math.floor((seen.delays.length - 1) * part)] ?? 0) / 1000).toFixed(0)} s`
    const took = `${((performance.now() - began) / 1000).toFixed(0)} s`
    rows.push(tell([topology.name, String(concurrency), String(pushes), at(0.5), at(0.99), ...columns(seen), took]))
  }
  const head = ['rules', 'jobs at once', 'pushes', 'everywhere (median)', 'everywhere (99 %)', ...COLUMNS, 'took here']
  printTable(`pushes within an hour at any of ${size.sites} sites, each by its event`, head, rows)
}

function edges(size: Omit<EdgesOptions, 'neighbours' | 'regions'>): void {
  const rows = (['none', 'region', 'all'] as const).map((neighbours) => {
    const { egress, served, between, busiest, held } = edgesSimulation({ ...size, regions: 10, neighbours })
    const filled = (egress + between) / served
    return tell([
      neighbours,
      bytes(egress),
      `${((egress / served) * 100).toFixed(1)} %`,
      `${(filled * 100).toFixed(1)} %`,
      bytes(held),
      busiest === 0 ? '-' : busiest.toFixed(2),
    ])
  })
  const head = ['neighbours', 'from the origin', 'of what clients got', 'filled at all', 'held by edges', 'busiest edge ÷ average']
  printTable(`${size.pulls} pulls at ${size.edges} edges in 10 regions, of ${size.artifacts} artifacts`, head, rows)
}

/** A row at full size takes long: each is shown as soon as there is one. */
function tell(row: string[]): string[] {
  process.stderr.write(`${row.join(' | ')}\n`)
  return row
}

const COLUMNS = ['converged after', 'tasks', 'tried again', 'requests', 'longest queue of a site', 'egress of the first site', 'most of another']

function columns({ hours, tasks, retried, failed, requests, deepest, egress, converged }: SitesSeen): string[] {
  const after = converged ? (hours >= 1 ? `${hours.toFixed(1)} h` : `${(hours * 60).toFixed(1)} min`) : 'not'
  return [
    after,
    String(tasks),
    `${retried}${failed > 0 ? ` (${failed} given up)` : ''}`,
    String(requests),
    String(deepest),
    bytes(egress.first),
    bytes(egress.other),
  ]
}

function bytes(amount: number): string {
  for (const [unit, size] of [
    ['TB', 1e12],
    ['GB', 1e9],
  ] as const) {
    if (amount >= size) return `${(amount / size).toFixed(1)} ${unit}`
  }
  return `${(amount / 1e6).toFixed(0)} MB`
}
