import { ADMIN_PASSWORD, startAtoll } from '../support/atoll.ts'
import { startAtollWorker } from '../support/worker.ts'
import { pushBlob, randomFile } from './images.ts'
import { childNamed, download, peakMemory, upload } from './load.ts'

const LAYER = 3 * 1024 * 1024 * 1024
const LIMIT = 200

/** A 3 GiB layer goes into the origin and comes out through the edge; each role is a process of its own, so that each is measured alone. */
export async function memory(): Promise<void> {
  await using origin = await startAtoll({ role: 'origin', env: { ATOLL_LOG_LEVEL: 'error' } })
  await origin.api('POST', '/api/v2.0/projects', { project_name: 'bench', public: true })
  const enrolment = await origin.api('POST', '/api/atoll/v1/edges', { name: 'bench', region: 'here' })
  const { token: enrolmentToken } = (await enrolment.json()) as { token: string }
  await using edge = await startAtoll({
    role: 'edge',
    env: { ATOLL_LOG_LEVEL: 'error', ATOLL_EDGE_ORIGIN_URL: `http://${origin.origin}`, ATOLL_EDGE_ENROLMENT_TOKEN: enrolmentToken },
  })
  await using layer = await randomFile(LAYER)
  const answer = await origin.api('GET', '/service/token?service=atoll&scope=repository:bench/big:pull,push')
  const { token } = (await answer.json()) as { token: string }
  const headers = { authorization: `Bearer ${token}` }

  const print = async (what: string) => {
    const [at, near] = [await peakMemory(origin.pid), await peakMemory(edge.pid)]
    process.stdout.write(`| ${what} | ${at.toFixed(0)} MiB | ${near.toFixed(0)} MiB | ${Math.max(at, near) < LIMIT ? 'yes' : 'NO'} |\n`)
  }
  process.stdout.write(`\n## Peak resident memory, one 3 GiB layer\n\n| after | origin | edge | under ${LIMIT} MiB |\n| --- | --- | --- | --- |\n`)
  await print('start')
  await pushBlob(upload, { host: origin.origin, repository: 'bench/big', headers }, layer)
  await print('push to the origin')
  await download(`http://${origin.origin}/v2/bench/big/blobs/${layer.digest}`, headers)
  await print('pull from the origin')
  const anonymous = (await (await fetch(`http://${edge.edge}/service/token?service=atoll&scope=repository:bench/big:pull`)).json()) as {
    token: string
  }
  const near = { authorization: `Bearer ${anonymous.token}` }
  const cold = await download(`http://${edge.edge}/v2/bench/big/blobs/${layer.digest}`, near)
  await print('cold pull through the edge')
  const warm = await download(`http://${edge.edge}/v2/bench/big/blobs/${layer.digest}`, near)
  await print('warm pull from the edge')

  await using worker = await startAtollWorker({ origin: `http://${origin.origin}`, admin: { username: 'admin', password: ADMIN_PASSWORD } })
  const workerd = await childNamed('workerd')
  const atRest = await peakMemory(workerd)
  const their = (await (await fetch(`http://${worker.host}/service/token?service=atoll&scope=repository:bench/big:pull`)).json()) as { token: string }
  const through = await download(`http://${worker.host}/v2/bench/big/blobs/${layer.digest}`, { authorization: `Bearer ${their.token}` })
  const loaded = await peakMemory(workerd)
  process.stdout.write(
    `\nworkerd: ${atRest.toFixed(0)} MiB before, ${loaded.toFixed(0)} MiB after a cold pull through the Worker (${through.bytes} bytes in ${through.total.toFixed(1)} s)\n`,
  )
  if (cold.bytes !== LAYER || warm.bytes !== LAYER) throw new Error(`${cold.bytes} and ${warm.bytes} bytes came instead of ${LAYER}`)
}
