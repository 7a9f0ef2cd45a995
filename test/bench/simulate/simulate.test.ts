import { expect, it } from 'vitest'
import { edgesSimulation } from './edges.ts'
import { hubBothWays, mesh, SitesSimulation, star, tree, treeBothWays } from './sites.ts'

const SIZE = { sites: 8, artifacts: 300, concurrency: 4 }

it('one seed gives one history', async () => {
  const once = () => new SitesSimulation({ ...SIZE, seed: 7, topology: tree(2, 'push', 'batches') }).firstSync()
  expect(await once()).toEqual(await once())
})

it('whatever the rules, every site has everything in the end, and the first sends as much as it has rules', async () => {
  for (const topology of [star('push', 'batches'), star('pull', 'batches'), tree(2, 'push', 'batches'), tree(2, 'pull', 'batches')]) {
    const seen = await new SitesSimulation({ ...SIZE, seed: 3, topology }).firstSync()
    expect(seen, topology.name).toMatchObject({ converged: true, failed: 0 })
    const rules = topology.targets(0, SIZE.sites).length
    expect(seen.egress.first / seen.egress.all, topology.name).toBeCloseTo(rules / (SIZE.sites - 1), 1)
  }
})

it('a push anywhere is everywhere in the end, and a mesh asks for each as often as there are pairs', async () => {
  for (const topology of [hubBothWays, treeBothWays(2), mesh]) {
    const seen = await new SitesSimulation({ ...SIZE, artifacts: 1_000, seed: 5, topology }).pushes(3, 60_000)
    expect(seen, topology.name).toMatchObject({ converged: true, failed: 0 })
    if (topology === mesh) expect(seen.tasks).toBe(3 * SIZE.sites * (SIZE.sites - 1))
  }
})

it('neighbours ask the origin once for each artifact, and serve the same', () => {
  const of = (neighbours: 'none' | 'region' | 'all') => edgesSimulation({ edges: 20, regions: 4, artifacts: 200, pulls: 20_000, seed: 1, neighbours })
  const [none, region, all] = [of('none'), of('region'), of('all')]
  expect(region.served).toBe(none.served)
  expect(all.egress).toBeLessThan(region.egress)
  expect(region.egress).toBeLessThan(none.egress)
  expect(none.between).toBe(0)
})
