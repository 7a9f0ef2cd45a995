import { startAtoll } from '../support/atoll.ts'
import { randomImage, type TestImage } from '../support/images.ts'
import { until } from '../support/until.ts'
import { startUpstream } from '../support/upstream/upstream.ts'
import { median } from './load.ts'
import { clients, crowd } from './pulls.ts'
import { printSeen } from './table.ts'

const ROUND_TRIP_MS = 80
const BYTES_PER_SECOND = 20_000_000
const MIB = 1024 * 1024
const WARM_PULLS = 100
const LEASE_MS = 1_000
const REPOSITORIES = 5

/** What docs/edge-table.md promises in figures, at an edge whose upstream is 80 ms and 20 MB/s away. */
export async function edge(): Promise<void> {
  await promises('a registry that sends its blobs itself', false)
  await promises('a registry that redirects to its blobs, as Docker Hub does', true)
}

async function promises(title: string, redirects: boolean): Promise<void> {
  const started = await startUpstream({ pulls: 1_000_000, redirects })
  if (started === undefined) throw new Error("This section needs distribution's registry.")
  await using hub = started
  const push = async (name: string, bytes: number, tag = 'v1'): Promise<TestImage> => {
    const image = randomImage({ layers: [bytes] })
    await hub.push(`bench/${name}`, image, tag)
    return image
  }
  const several = async (name: string) => {
    const images: TestImage[] = []
    while (images.length < REPOSITORIES) images.push(await push(`${name}${images.length}`, MIB))
    return images
  }
  const layerOf = (image: TestImage) => image.layers[0]?.digest ?? ''
  const images = {
    first: await push('first', 100 * MIB),
    known: await several('known'),
    direct: await several('direct'),
    many: await push('many', 20 * MIB),
    crowd: await push('crowd', 20 * MIB),
    range: await push('range', 40 * MIB),
    asked: await push('asked', MIB, 'asked'),
  }
  await using atoll = await startAtoll({ env: { ATOLL_LOG_LEVEL: 'error' } })
  const endpoint = await atoll.api('POST', '/api/v2.0/registries', { name: 'hub', type: 'docker-registry', url: hub.url.origin })
  const id = Number(endpoint.headers.get('location')?.split('/').at(-1))
  const made = await atoll.api('POST', '/api/v2.0/projects', { project_name: 'hub', public: true, registry_id: id })
  if (made.status !== 201) throw new Error(`no proxy cache: ${made.status} ${await made.text()}`)
  await atoll.api('PUT', '/api/atoll/v1/projects/hub/tag-leases', { rules: 'asked=1s/0s/7d' })
  // Half a second after it heard of a proxy cache, an edge knows how its upstream wants to be asked.
  await until('the edge has met its upstream', () => hub.seen.some(({ kind }) => kind === 'ping'))
  Object.assign(hub.faults, { delayMs: ROUND_TRIP_MS, bytesPerSecond: BYTES_PER_SECOND })

  const site = { base: `http://${atoll.edge}`, prefix: 'hub/bench' }
  const path = (name: string, rest: string) => `${site.base}/v2/${site.prefix}/${name}/${rest}`
  const seconds = (value: number) => `${value.toFixed(3)} s`
  const nominal = (bytes: number) => bytes / BYTES_PER_SECOND
  const trips = (count: number) => (count * ROUND_TRIP_MS) / 1000
  const timed = async (url: string, headers: Record<string, string> = {}) => {
    const start = performance.now()
    const answer = await fetch(url, { headers })
    await answer.arrayBuffer()
    return { ms: performance.now() - start, status: answer.status, stale: answer.headers.get('warning')?.startsWith('110') ?? false }
  }
  const rows: [what: string, aim: string, seen: string][] = []
  /** Of a layer in each of several repositories, one after another. */
  const firstByte = async (at: typeof site, name: string, images: readonly TestImage[]) => {
    const seen: number[] = []
    for (const [index, image] of images.entries()) seen.push((await clients(at, `${name}${index}`, layerOf(image), 1))[0]?.firstByte ?? Number.NaN)
    return median(seen)
  }
  // First, so that a client's own first steps count for nobody.
  const direct = await firstByte({ base: hub.url.origin, prefix: 'bench' }, 'direct', images.direct)

  const [first] = await clients(site, 'first', layerOf(images.first), 1)
  rows.push(['first byte of a cold layer, the first time ever', '≤ 0.45 s', seconds(first?.firstByte ?? Number.NaN)])
  const whole = 1.05 * nominal(100 * MIB) + trips(5)
  rows.push(['whole cold pull of 100 MiB', `≤ ${seconds(whole)}`, seconds(first?.total ?? Number.NaN)])
  rows.push(['first byte, the token service known, median', '≤ 0.35 s', seconds(await firstByte(site, 'known', images.known))])
  rows.push(['… from the upstream itself, with a trip more for its challenge', '', seconds(direct)])

  for (const [name, count] of [
    ['many', 32],
    ['crowd', 256],
  ] as const) {
    hub.reset()
    const pulls = await crowd(site, name, layerOf(images[name]), count)
    const last = Math.max(...pulls.map(({ total }) => total))
    rows.push([`${count} clients, one layer of 20 MiB: last one done`, `≤ ${seconds(1.15 * nominal(20 * MIB) + trips(4))}`, seconds(last)])
    rows.push(['… first byte, median', '≤ 0.40 s', seconds(median(pulls.map(({ firstByte }) => firstByte)))])
    // The config comes beside it.
    rows.push(['… downloads', '1', String(hub.counts.blobGets - 1)])
  }

  hub.reset()
  const warm: number[] = []
  for (let pull = 0; pull < WARM_PULLS; pull++) warm.push((await timed(path('known0', 'manifests/v1'))).ms)
  rows.push(['warm tag: time to resolve, median', '≤ 3 ms', `${median(warm).toFixed(1)} ms`])
  rows.push(['… requests upstream', '0', String(hub.seen.length)])

  for (let pull = 0; pull < 20; pull++) await timed(path('known0', 'manifests/unknown'))
  rows.push(['20 pulls of an unknown tag: requests upstream', '1', String(hub.counts.manifestGets + hub.counts.manifestHeads)])

  await timed(path('range', 'manifests/v1'), { accept: 'application/vnd.oci.image.index.v1+json' })
  const range = await timed(path('range', `blobs/${layerOf(images.range)}`), { range: `bytes=${20 * MIB}-${21 * MIB - 1}` })
  rows.push(['1 MiB in the middle of a cold layer of 40 MiB', '206', `${range.status} after ${seconds(range.ms / 1000)}`])

  await timed(path('asked', 'manifests/asked'))
  const leaseOver = () => new Promise((resolve) => setTimeout(resolve, LEASE_MS + 100))
  await leaseOver()
  hub.faults.hang = true
  const hung = await timed(path('asked', 'manifests/asked'))
  rows.push(['upstream hangs, known tag', '≤ 0.5 s, stale', `${seconds(hung.ms / 1000)}, ${hung.stale ? 'stale' : String(hung.status)}`])
  hub.faults.hang = false
  for (let stale = true; stale; ) ({ stale } = await timed(path('asked', 'manifests/asked')))
  await leaseOver()
  Object.assign(hub.faults, { status: 429, retryAfter: 60, delayMs: 0 })
  await timed(path('asked', 'manifests/asked'))
  const limited = await timed(path('asked', 'manifests/asked'))
  rows.push(['upstream answers 429, known tag', '≤ 50 ms', `${limited.ms.toFixed(1)} ms, ${limited.stale ? 'stale' : String(limited.status)}`])
  hub.heal()

  printSeen(`What an edge promises before ${title} (round trip ${ROUND_TRIP_MS} ms, 20 MB/s)`, rows)
}
