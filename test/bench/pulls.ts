import { download, type Transfer } from './load.ts'

const MANIFESTS = 'application/vnd.oci.image.manifest.v1+json'

/** In seconds from a client's first request. */
export interface Pull {
  readonly firstByte: number
  readonly total: number
}

/** So many clients at once, each with a token, the manifest and the layer. Times count from its first request. */
export async function clients(site: { base: string; prefix: string }, name: string, layer: string, count: number): Promise<Pull[]> {
  return await Promise.all(
    Array.from({ length: count }, async () => {
      const start = performance.now()
      const path = `${site.base}/v2/${site.prefix}/${name}`
      const authorization = await bearer(`${path}/manifests/v1`)
      const manifest = await fetch(`${path}/manifests/v1`, { headers: { ...authorization, accept: MANIFESTS } })
      if (!manifest.ok) throw new Error(`${path}: ${manifest.status} ${await manifest.text()}`)
      await manifest.arrayBuffer()
      const before = (performance.now() - start) / 1000
      const body: Transfer = await download(`${path}/blobs/${layer}`, authorization)
      if (body.status !== 200) throw new Error(`${path}: the layer answered ${body.status}`)
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
