import { startAtoll } from '../support/atoll.ts'
import { pushBlob, pushManifest, randomFile } from './images.ts'
import { cpuSeconds, download, downloads, median, requestsPerSecond, SECONDS, upload } from './load.ts'
import { startDistribution, startNginx } from './peers.ts'
import { printRows, type Row } from './table.ts'
import { pushRight } from './tokens.ts'

const ROUNDS = 5
const BLOB = 256 * 1024 * 1024
/** At once, of the same blob. */
const CLIENTS = 8
const REPOSITORY = 'bench/app'
/** Without it distribution has no OCI manifest for anybody. */
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'

/**
 * Origin and edge beside distribution, warm: manifests a second, blobs and pushes in MB/s, and the processor time of each. Rounds
 * alternate, so that both have the same weather. With nginx on the machine, blobs beside that too.
 */
export async function local(): Promise<void> {
  await using atoll = await startAtoll({ env: { ATOLL_LOG_LEVEL: 'error' } })
  await using peer = await startDistribution()
  await using config = await randomFile(2_000)
  await using layer = await randomFile(BLOB)
  await atoll.api('POST', '/api/v2.0/projects', { project_name: 'bench', public: true })

  const origin = { host: atoll.origin, repository: REPOSITORY, headers: await pushRight(REPOSITORY, atoll.api) }
  const other = { host: peer.host, repository: REPOSITORY, headers: {} }
  for (const target of [origin, other]) {
    await pushBlob(upload, target, config)
    await pushBlob(upload, target, layer)
    await pushManifest(target, 'v1', config, [layer])
  }
  const pushes = compared(atoll, peer)
  for (let round = 0; round < ROUNDS; round++) {
    await using fresh = await randomFile(BLOB)
    await pushes.atoll(() => pushBlob(upload, origin, fresh))
    await pushes.peer(() => pushBlob(upload, other, fresh))
  }
  const rows: Row[] = [{ what: 'push of a blob', aim: '≥ 1', ...transfers(pushes) }]

  for (const [place, host] of [
    ['origin', atoll.origin],
    ['edge', atoll.edge],
  ] as const) {
    const headers = { authorization: `Bearer ${await pullToken(host)}`, accept: MANIFEST }
    const blob = `/v2/${REPOSITORY}/blobs/${layer.digest}`
    await download(`http://${host}${blob}`, headers)
    for (const method of ['GET', 'HEAD']) {
      const rates = compared(atoll, peer)
      for (let round = 0; round < 3; round++) {
        const url = (at: string) => `http://${at}/v2/${REPOSITORY}/manifests/v1`
        await rates.atoll(() => requestsPerSecond(url(host), { method, headers }))
        await rates.peer(() => requestsPerSecond(url(peer.host), { method, headers: { accept: MANIFEST } }))
      }
      rows.push({ what: `${place}: manifest ${method}`, aim: '≥ 2', ...requests(rates) })
    }
    const reads = compared(atoll, peer)
    for (let round = 0; round < ROUNDS; round++) {
      await reads.atoll(async () => (await download(`http://${host}${blob}`, headers)).total)
      await reads.peer(async () => (await download(`http://${peer.host}${blob}`)).total)
    }
    rows.push({ what: `${place}: warm blob`, aim: '≥ 1', ...transfers(reads) })
    const crowd = compared(atoll, peer)
    for (let round = 0; round < ROUNDS; round++) {
      await crowd.atoll(() => downloads(`http://${host}${blob}`, headers, CLIENTS, BLOB))
      await crowd.peer(() => downloads(`http://${peer.host}${blob}`, {}, CLIENTS, BLOB))
    }
    rows.push({ what: `${place}: warm blob, ${CLIENTS} clients at once`, aim: '≥ 1', ...transfers(crowd, CLIENTS) })
  }
  printRows('Warm, beside distribution', 'distribution', rows)
  await besideNginx(atoll, layer)
}

/** A blob at the edge, and the same bytes as a plain file. */
async function besideNginx(atoll: Peer & { readonly edge: string; readonly data: string }, layer: { readonly digest: string }): Promise<void> {
  const hex = layer.digest.slice('sha256:'.length)
  await using nginx = await startNginx(`${atoll.data}/data`)
  if (nginx === undefined) {
    process.stdout.write('\nnginx is not on this machine: blobs were not compared with plain files.\n')
    return
  }
  const headers = { authorization: `Bearer ${await pullToken(atoll.edge)}` }
  const blob = `http://${atoll.edge}/v2/${REPOSITORY}/blobs/${layer.digest}`
  const file = `http://${nginx.host}/blobs/blobs/sha256/${hex.slice(0, 2)}/${hex}`
  const rows: Row[] = []
  for (const [clients, title] of [
    [1, ''],
    [CLIENTS, `, ${CLIENTS} clients at once`],
  ] as const) {
    const reads = compared(atoll, nginx)
    for (let round = 0; round < ROUNDS; round++) {
      await reads.atoll(() => downloads(blob, headers, clients, BLOB))
      await reads.peer(() => downloads(file, {}, clients, BLOB))
    }
    rows.push({ what: `edge: warm blob${title}`, aim: '≥ 0.37', ...transfers(reads, clients) })
  }
  printRows('Warm, beside nginx', 'nginx', rows)
}

interface Peer {
  readonly pid: number
}

interface Measured {
  readonly results: number[]
  readonly cpu: number[]
}

interface Compared {
  readonly measured: { readonly atoll: Measured; readonly peer: Measured }
  atoll(run: () => Promise<number>): Promise<void>
  peer(run: () => Promise<number>): Promise<void>
}

/** Keeps what each run gives, and what processor time it took. */
function compared(atoll: Peer, peer: Peer): Compared {
  const measured = { atoll: { results: [] as number[], cpu: [] as number[] }, peer: { results: [] as number[], cpu: [] as number[] } }
  const measure = async ({ results, cpu }: Measured, pid: number, run: () => Promise<number>) => {
    const before = await cpuSeconds(pid)
    results.push(await run())
    cpu.push((await cpuSeconds(pid)) - before)
  }
  return {
    measured,
    atoll: (run) => measure(measured.atoll, atoll.pid, run),
    peer: (run) => measure(measured.peer, peer.pid, run),
  }
}

/** `clients`: how many took the blob at once. */
function transfers({ measured: { atoll, peer } }: Compared, clients = 1): Pick<Row, 'unit' | 'better' | 'atoll' | 'peer' | 'cpu'> {
  const speed = ({ results }: Measured) => (clients * BLOB) / 1e6 / median(results)
  const cost = ({ cpu }: Measured) => median(cpu) / ((clients * BLOB) / 1e9)
  return { unit: 'MB/s', better: 'more', atoll: speed(atoll), peer: speed(peer), cpu: { atoll: cost(atoll), peer: cost(peer), unit: 's/GB' } }
}

function requests({ measured: { atoll, peer } }: Compared): Pick<Row, 'unit' | 'better' | 'atoll' | 'peer' | 'cpu'> {
  const cost = ({ results, cpu }: Measured) => median(results.map((rate, round) => ((cpu[round] ?? 0) / (rate * SECONDS)) * 1e6))
  return {
    unit: '1/s',
    better: 'more',
    atoll: median(atoll.results),
    peer: median(peer.results),
    cpu: { atoll: cost(atoll), peer: cost(peer), unit: 'µs' },
  }
}

async function pullToken(host: string): Promise<string> {
  const answer = await fetch(`http://${host}/service/token?service=atoll&scope=repository:${REPOSITORY}:pull`)
  const { token } = (await answer.json()) as { token: string }
  return token
}
