import { startAtoll } from '../../support/atoll.ts'
import { startUpstream } from '../../support/upstream/upstream.ts'
import { pushBlob, randomFile } from '../images.ts'
import { upload } from '../load.ts'
import { MemoryTable } from './processes.ts'
import { proxyCache, separateEdge } from './sites.ts'
import { pull, push } from './transfers.ts'

const OWN = 'bench/big'
const PROXIED = 'hub/bench/big'
const MANY = 1_000_000

/** A layer goes into the origin and out of it, and through an edge in every way there is; each role is a process of its own, measured alone. */
export async function edgeMemory(layerSize: number): Promise<void> {
  const hub = await startUpstream({ pulls: MANY })
  if (hub === undefined) throw new Error("This section needs distribution's registry.")
  await using _closing = hub
  await using origin = await startAtoll({ role: 'origin', env: { ATOLL_LOG_LEVEL: 'error' } })
  await origin.api('POST', '/api/v2.0/projects', { project_name: 'bench', public: true })
  await proxyCache(origin, 'hub', hub.url)
  await using edge = await separateEdge(origin)
  const table = new MemoryTable(`Peak resident memory, a layer of ${layerSize / 1_073_741_824} GiB in and out`, {
    origin: origin.pid,
    edge: edge.pid,
  })
  await table.begin()
  {
    await using layer = await randomFile(layerSize)
    await table.step('push to the origin', () => push(origin.origin, OWN, layer))
    await table.step('pull from the origin', () => pull(origin.origin, OWN, layer))
    await table.step('cold pull through the edge', () => pull(edge.edge, OWN, layer))
    await table.step('warm pull from the edge', () => pull(edge.edge, OWN, layer))
  }
  {
    await using layer = await randomFile(layerSize)
    await table.step('push through the edge', () => push(edge.edge, OWN, layer))
  }
  {
    await using layer = await randomFile(layerSize)
    await pushBlob(upload, { host: hub.behind.host, repository: 'bench/big', headers: {} }, layer)
    await table.step('cold pull from an upstream through the edge', () => pull(edge.edge, PROXIED, layer))
    await table.step('cold pull from an upstream through the origin', () => pull(origin.origin, PROXIED, layer))
  }
}
