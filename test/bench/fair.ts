import { ADMIN_PASSWORD, startAtoll } from '../support/atoll.ts'
import { pushImage, randomImage } from '../support/images.ts'
import { must, run } from '../support/run.ts'
import { startDistribution } from './peers.ts'
import { printSeen } from './table.ts'

const MIB = 1024 * 1024
/** So many connections that read as fast as they can are what one process carries; the rest of the load only waits. */
const CARRIED = 8
const SECONDS = 5

/** Small requests beside large transfers: at the edge, and at distribution's registry. */
export async function fair(): Promise<void> {
  const image = randomImage({ layers: [20 * MIB] })
  await using atoll = await startAtoll({ env: { ATOLL_LOG_LEVEL: 'error' } })
  await using peer = await startDistribution({})
  const authorization = `Basic ${Buffer.from(`admin:${ADMIN_PASSWORD}`).toString('base64')}`
  await pushImage({ url: new URL(`http://${atoll.origin}`), repository: 'library/app', headers: { authorization } }, image, 'v1')
  await pushImage({ url: new URL(`http://${peer.host}`), repository: 'library/app' }, image, 'v1')
  const layer = image.layers[0]?.digest ?? ''
  const sites = [`http://${atoll.edge}/v2/library/app`, `http://${peer.host}/v2/library/app`]
  for (const site of sites) await (await fetch(`${site}/blobs/${layer}`)).arrayBuffer()

  const quiet = await each(sites, (site) => p99(`${site}/manifests/v1`))
  const rows: [string, string, string][] = [['p99 of small requests by themselves', '', quiet.map(ms).join(', ')]]
  for (const times of [1, 4, 32]) {
    const beside = await each(sites, async (site) => {
      const load = run('wrk', ['-t1', `-c${CARRIED * times}`, `-d${SECONDS + 2}s`, '--timeout', '60s', `${site}/blobs/${layer}`])
      await new Promise((resolve) => setTimeout(resolve, 1_000))
      const seen = await p99(`${site}/manifests/v1`)
      await load
      return seen
    })
    const ratios = beside.map((seen, index) => `${ms(seen)} (${(seen / (quiet[index] ?? Number.NaN)).toFixed(1)} ×)`)
    rows.push([`… beside ${CARRIED * times} transfers without end`, times === 4 ? '≤ 5 ×' : '', ratios.join(', ')])
  }
  printSeen('Small requests beside large ones: the edge, distribution', rows)
}

async function each<T>(sites: readonly string[], work: (site: string) => Promise<T>): Promise<T[]> {
  const results: T[] = []
  for (const site of sites) results.push(await work(site))
  return results
}

/** In milliseconds, of as many requests as four connections make. */
async function p99(url: string): Promise<number> {
  const { stdout } = await must('wrk', ['-t1', '-c4', `-d${SECONDS}s`, '--latency', url])
  const [, value, unit] = stdout.match(/^\s*99%\s+([\d.]+)(us|ms|s)$/m) ?? []
  if (value === undefined) throw new Error(`wrk against ${url}:\n${stdout}`)
  return Number(value) * (unit === 'us' ? 0.001 : unit === 's' ? 1_000 : 1)
}

const ms = (value: number) => `${value.toFixed(1)} ms`
