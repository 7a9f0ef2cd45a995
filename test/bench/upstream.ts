import { startAtoll } from '../support/atoll.ts'
import { randomImage } from '../support/images.ts'
import { startUpstream, type Upstream } from '../support/upstream/upstream.ts'
import { median } from './load.ts'
import { startDistribution } from './peers.ts'
import { clients, crowd, type Pull } from './pulls.ts'
import { printRows } from './table.ts'

const ROUND_TRIP_MS = 80
const BYTES_PER_SECOND = 20_000_000
const BIG = 100 * 1024 * 1024
const SMALL = 20 * 1024 * 1024
const CLIENTS = 32

/** Cold pulls from an upstream that is 80 ms and 20 MB/s away: directly, through distribution as a proxy, through an edge. */
export async function upstream(): Promise<void> {
  await from('a registry that sends its blobs itself', false)
  await from('a registry that redirects to its blobs, as Docker Hub does', true)
}

async function from(title: string, redirects: boolean): Promise<void> {
  const hub = await startUpstream({ pulls: 1_000_000, redirects })
  if (hub === undefined) throw new Error("This section needs distribution's registry.")
  await using _closing = hub
  const images = new Map<string, string>()
  for (const [name, bytes] of [
    ['one', BIG],
    ['many', SMALL],
  ] as const) {
    const image = randomImage({ layers: [bytes] })
    await hub.push(`bench/${name}`, image, 'v1')
    const [layer] = image.layers
    if (layer === undefined) throw new Error('an image without a layer')
    images.set(name, layer.digest)
  }
  await using atoll = await startAtoll({ env: { ATOLL_LOG_LEVEL: 'error' } })
  const endpoint = await atoll.api('POST', '/api/v2.0/registries', { name: 'hub', type: 'docker-registry', url: hub.url.origin })
  const location = endpoint.headers.get('location') ?? ''
  const made = await atoll.api('POST', '/api/v2.0/projects', {
    project_name: 'hub',
    public: true,
    registry_id: Number(location.slice(location.lastIndexOf('/') + 1)),
  })
  if (made.status !== 201) throw new Error(`no proxy cache: ${made.status} ${await made.text()}`)
  await using peer = await startDistribution({ upstream: hub.url.origin })

  hub.faults.delayMs = ROUND_TRIP_MS
  hub.faults.bytesPerSecond = BYTES_PER_SECOND
  const layerOf = (name: string) => images.get(name) ?? ''
  const direct = { base: hub.url.origin, prefix: 'bench' }
  const edge = { base: `http://${atoll.edge}`, prefix: 'hub/bench' }
  const other = { base: `http://${peer.host}`, prefix: 'bench' }

  const counted = async (pull: () => Promise<Pull[]>) => {
    const before = { ...hub.counts }
    const pulls = await pull()
    return { pulls, blobs: hub.counts.blobGets - before.blobGets, requests: total(hub) - sum(before) }
  }
  const alone = {
    direct: await counted(() => clients(direct, 'one', layerOf('one'), 1)),
    atoll: await counted(() => clients(edge, 'one', layerOf('one'), 1)),
    peer: await counted(() => clients(other, 'one', layerOf('one'), 1)),
  }
  const many = {
    atoll: await counted(() => crowd(edge, 'many', layerOf('many'), CLIENTS)),
    peer: await counted(() => crowd(other, 'many', layerOf('many'), CLIENTS)),
  }
  const nominal = BIG / BYTES_PER_SECOND
  const first = (run: { pulls: Pull[] }) => median(run.pulls.map(({ firstByte }) => firstByte))
  const last = (run: { pulls: Pull[] }) => Math.max(...run.pulls.map(({ total: seconds }) => seconds))
  printRows(`From ${title}: cold pull of 100 MiB at ${ROUND_TRIP_MS} ms and 20 MB/s (nominal ${nominal.toFixed(2)} s)`, 'distribution as a proxy', [
    { what: 'first byte of the layer', unit: 's', better: 'less', aim: '> 1', atoll: first(alone.atoll), peer: first(alone.peer) },
    { what: 'whole pull', unit: 's', better: 'less', aim: '> 1', atoll: last(alone.atoll), peer: last(alone.peer) },
    { what: 'requests upstream', unit: '', better: 'less', aim: '≥ 1', atoll: alone.atoll.requests, peer: alone.peer.requests },
    { what: 'blob GETs upstream', unit: '', better: 'less', aim: '1 each', atoll: alone.atoll.blobs, peer: alone.peer.blobs },
  ])
  printRows('The same beside pulling directly', 'direct', [
    { what: 'first byte of the layer', unit: 's', better: 'less', aim: '≥ 0.9', atoll: first(alone.atoll), peer: first(alone.direct) },
    { what: 'whole pull', unit: 's', better: 'less', aim: '≥ 0.95', atoll: last(alone.atoll), peer: last(alone.direct) },
  ])
  printRows(`${CLIENTS} clients at once, one cold layer of 20 MiB`, 'distribution as a proxy', [
    { what: 'first byte, median', unit: 's', better: 'less', aim: '> 1', atoll: first(many.atoll), peer: first(many.peer) },
    { what: 'last client done', unit: 's', better: 'less', aim: '> 1', atoll: last(many.atoll), peer: last(many.peer) },
    { what: 'blob GETs upstream', unit: '', better: 'less', aim: '1', atoll: many.atoll.blobs, peer: many.peer.blobs },
  ])
}

function total(hub: Upstream): number {
  return sum(hub.counts)
}

function sum(counts: Upstream['counts']): number {
  return counts.tokens + counts.challenges + counts.manifestHeads + counts.manifestGets + counts.blobHeads + counts.blobGets
}
