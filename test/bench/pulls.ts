import { Agent, get } from 'node:http'
import { must } from '../support/run.ts'

const MANIFESTS = 'application/vnd.oci.image.manifest.v1+json'

/** In seconds from a client's first request. */
export interface Pull {
  readonly firstByte: number
  readonly total: number
}

/** So many clients at once, each with a token, the manifest and the layer. Times count from its first request. */
export async function clients(site: { base: string; prefix: string }, name: string, layer: string, count: number): Promise<Pull[]> {
  const agent = new Agent()
  return await Promise.all(
    Array.from({ length: count }, async () => {
      const start = performance.now()
      const path = `${site.base}/v2/${site.prefix}/${name}`
      const authorization = await bearer(`${path}/manifests/v1`)
      const manifest = await fetch(`${path}/manifests/v1`, { headers: { ...authorization, accept: MANIFESTS } })
      if (!manifest.ok) throw new Error(`${path}: ${manifest.status} ${await manifest.text()}`)
      await manifest.arrayBuffer()
      const before = (performance.now() - start) / 1000
      const body = await download(new URL(`${path}/blobs/${layer}`), authorization, agent)
      return { firstByte: before + body.firstByte, total: before + body.total }
    }),
  )
}

async function bearer(url: string): Promise<Record<string, string>> {
  const asked = await fetch(url, { method: 'HEAD', headers: { accept: MANIFESTS } })
  const challenge = asked.headers.get('www-authenticate')
  if (challenge === null) return {}
  const field = (key: string) => challenge.match(new RegExp(`${key}="([^"]*)"`))?.[1] ?? ''
  const realm = new URL(field('realm'))
  realm.searchParams.set('service', field('service'))
  realm.searchParams.set('scope', field('scope'))
  const { token } = (await (await fetch(realm)).json()) as { token: string }
  return { authorization: `Bearer ${token}` }
}

/** As `clients`, for so many that their own work would be what is measured: one curl downloads for all of them. */
export async function crowd(site: { base: string; prefix: string }, name: string, layer: string, count: number): Promise<Pull[]> {
  const start = performance.now()
  const path = `${site.base}/v2/${site.prefix}/${name}`
  const authorization = await bearer(`${path}/manifests/v1`)
  await Promise.all(
    Array.from({ length: count }, async () => {
      const manifest = await fetch(`${path}/manifests/v1`, { headers: { ...authorization, accept: MANIFESTS } })
      await manifest.arrayBuffer()
    }),
  )
  const before = (performance.now() - start) / 1000
  const headers = Object.entries(authorization).flatMap(([header, value]) => ['-H', `${header}: ${value}`])
  const each = Array.from({ length: count }, () => ['-o', '/dev/null', `${path}/blobs/${layer}`]).flat()
  const format = '%{http_code} %{time_starttransfer} %{time_total}\\n'
  const { stdout } = await must('curl', [
    '-sS',
    '-L',
    '-Z',
    '--parallel-max',
    String(count),
    '--parallel-immediate',
    '-w',
    format,
    ...headers,
    ...each,
  ])
  return stdout
    .trim()
    .split('\n')
    .map((line) => {
      const [status, firstByte = Number.NaN, total = Number.NaN] = line.split(' ').map(Number)
      if (status !== 200) throw new Error(`${path}: the layer answered ${status}`)
      return { firstByte: before + firstByte, total: before + total }
    })
}

/** Thrown away as it comes. A process for each would cost more than the download. @throws unless it is whole */
async function download(url: URL, headers: Record<string, string>, agent: Agent): Promise<Pull> {
  const start = performance.now()
  const since = () => (performance.now() - start) / 1000
  const { promise, resolve, reject } = Promise.withResolvers<Pull>()
  get(url, { headers, agent }, (answer) => {
    const { location } = answer.headers
    if (location !== undefined) {
      answer.resume()
      // To another host the token does not go.
      download(new URL(location, url), {}, agent).then(
        ({ firstByte, total }) => resolve({ firstByte: since() - total + firstByte, total: since() }),
        reject,
      )
      return
    }
    if (answer.statusCode !== 200) return reject(new Error(`${url}: ${answer.statusCode}`))
    let firstByte = Number.NaN
    answer.once('data', () => {
      firstByte = since()
    })
    answer.resume()
    answer.on('error', reject)
    answer.on('close', () => (answer.complete ? resolve({ firstByte, total: since() }) : reject(new Error(`${url}: broken off`))))
  }).on('error', reject)
  return await promise
}
