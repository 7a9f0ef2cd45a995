import { createHash } from 'node:crypto'
import { startAtoll } from '../support/atoll.ts'
import { pushBlob, randomFile } from './images.ts'
import { cpuSeconds, median, upload } from './load.ts'
import { printSeen } from './table.ts'
import { pushRight } from './tokens.ts'

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'
const REPOSITORY = 'bench/app'
const ROUNDS = 5
const OF_A_ROUND = 160
const AT_ONCE = 16

/** What a manifest costs that is pushed alone, and one of sixteen that are pushed at once: each durable, with its tag, its entry in the feed and in the audit log. */
export async function pushes(): Promise<void> {
  await using atoll = await startAtoll({ env: { ATOLL_LOG_LEVEL: 'error' } })
  await using config = await randomFile(2_000)
  await atoll.api('POST', '/api/v2.0/projects', { project_name: 'bench', public: true })
  const headers = await pushRight(REPOSITORY, atoll.api)
  await pushBlob(upload, { host: atoll.origin, repository: REPOSITORY, headers }, config)
  let made = 0
  const push = async () => {
    const n = made++
    const layers = [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: config.digest, size: config.size }]
    const body = JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: { ...layers[0], mediaType: 'application/vnd.oci.image.config.v1+json' },
      layers,
      annotations: { n: createHash('sha256').update(String(n)).digest('hex') },
    })
    const url = `http://${atoll.origin}/v2/${REPOSITORY}/manifests/t${n}`
    const answer = await fetch(url, { method: 'PUT', headers: { ...headers, 'content-type': MANIFEST }, body })
    if (answer.status !== 201) throw new Error(`a manifest: ${answer.status} ${await answer.text()}`)
    await answer.arrayBuffer()
  }
  const measure = async (atOnce: number) => {
    const cpu = await cpuSeconds(atoll.pid)
    const from = performance.now()
    for (let done = 0; done < OF_A_ROUND; done += atOnce) await Promise.all(Array.from({ length: atOnce }, push))
    return { wall: (performance.now() - from) / OF_A_ROUND, cpu: (((await cpuSeconds(atoll.pid)) - cpu) * 1000) / OF_A_ROUND }
  }
  // What is compiled at the first requests is nobody's cost.
  await measure(AT_ONCE)
  const rows: [string, string, string][] = []
  for (const atOnce of [1, AT_ONCE]) {
    const rounds: { wall: number; cpu: number }[] = []
    for (let round = 0; round < ROUNDS; round++) rounds.push(await measure(atOnce))
    const [wall, cpu] = [median(rounds.map((each) => each.wall)), median(rounds.map((each) => each.cpu))]
    rows.push([
      atOnce === 1 ? 'a manifest alone' : `each of ${atOnce} manifests at once`,
      '',
      `${wall.toFixed(2)} ms, ${cpu.toFixed(2)} ms of processor time`,
    ])
  }
  printSeen('Pushes of manifests to the origin', rows)
}
