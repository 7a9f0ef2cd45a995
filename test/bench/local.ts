import { startAtoll } from '../support/atoll.ts'
import { pushBlob, pushManifest, randomFile } from './images.ts'
import { download, median, requestsPerSecond, upload } from './load.ts'
import { startDistribution } from './peers.ts'
import { printRows, type Row } from './table.ts'

const ROUNDS = 5
const BLOB = 256 * 1024 * 1024
const REPOSITORY = 'bench/app'
/** Without it distribution has no OCI manifest for anybody. */
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'

/** Origin and edge beside distribution, warm: manifests a second, blobs and pushes in MB/s. Rounds alternate, so that both have the same weather. */
export async function local(): Promise<void> {
  await using atoll = await startAtoll({ env: { ATOLL_LOG_LEVEL: 'error' } })
  await using peer = await startDistribution()
  await using config = await randomFile(2_000)
  await using layer = await randomFile(BLOB)
  await atoll.api('POST', '/api/v2.0/projects', { project_name: 'bench', public: true })

  const origin = { host: atoll.origin, repository: REPOSITORY, headers: await pushRight(atoll.origin, atoll.api) }
  const other = { host: peer.host, repository: REPOSITORY, headers: {} }
  const pushes: { atoll: number[]; peer: number[] } = { atoll: [], peer: [] }
  for (const [name, target] of [
    ['atoll', origin],
    ['peer', other],
  ] as const) {
    await pushBlob(upload, target, config)
    pushes[name].push(await pushBlob(upload, target, layer))
    await pushManifest(target, 'v1', config, [layer])
  }
  for (let round = 1; round < ROUNDS; round++) {
    await using fresh = await randomFile(BLOB)
    pushes.atoll.push(await pushBlob(upload, origin, fresh))
    pushes.peer.push(await pushBlob(upload, other, fresh))
  }

  const rows: Row[] = [
    {
      what: 'push of a blob',
      unit: 'MB/s',
      better: 'more',
      aim: '≥ 1',
      atoll: BLOB / 1e6 / median(pushes.atoll),
      peer: BLOB / 1e6 / median(pushes.peer),
    },
  ]
  for (const [place, host] of [
    ['origin', atoll.origin],
    ['edge', atoll.edge],
  ] as const) {
    const token = await pullToken(host)
    const headers = { authorization: `Bearer ${token}`, accept: MANIFEST }
    await download(`http://${host}/v2/${REPOSITORY}/blobs/${layer.digest}`, headers)
    for (const method of ['GET', 'HEAD']) {
      const rates = { atoll: [] as number[], peer: [] as number[] }
      for (let round = 0; round < 3; round++) {
        rates.atoll.push(await requestsPerSecond(`http://${host}/v2/${REPOSITORY}/manifests/v1`, { method, headers }))
        rates.peer.push(await requestsPerSecond(`http://${peer.host}/v2/${REPOSITORY}/manifests/v1`, { method, headers: { accept: MANIFEST } }))
      }
      rows.push({
        what: `${place}: manifest ${method}`,
        unit: '1/s',
        better: 'more',
        aim: '≥ 2',
        atoll: median(rates.atoll),
        peer: median(rates.peer),
      })
    }
    const reads = { atoll: [] as number[], peer: [] as number[] }
    for (let round = 0; round < ROUNDS; round++) {
      reads.atoll.push((await download(`http://${host}/v2/${REPOSITORY}/blobs/${layer.digest}`, headers)).total)
      reads.peer.push((await download(`http://${peer.host}/v2/${REPOSITORY}/blobs/${layer.digest}`)).total)
    }
    rows.push({
      what: `${place}: warm blob`,
      unit: 'MB/s',
      better: 'more',
      aim: '≥ 1',
      atoll: BLOB / 1e6 / median(reads.atoll),
      peer: BLOB / 1e6 / median(reads.peer),
    })
  }
  printRows('Warm, beside distribution', 'distribution', rows)
}

async function pullToken(host: string): Promise<string> {
  const answer = await fetch(`http://${host}/service/token?service=atoll&scope=repository:${REPOSITORY}:pull`)
  const { token } = (await answer.json()) as { token: string }
  return token
}

async function pushRight(host: string, api: (method: string, path: string) => Promise<Response>): Promise<Record<string, string>> {
  const answer = await api('GET', `/service/token?service=atoll&scope=repository:${REPOSITORY}:pull,push`)
  if (!answer.ok) throw new Error(`no token from ${host}: ${answer.status}`)
  const { token } = (await answer.json()) as { token: string }
  return { authorization: `Bearer ${token}` }
}
