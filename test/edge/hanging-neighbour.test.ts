import { afterAll, beforeAll, expect, it } from 'vitest'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { randomImage, sha256 } from '../support/images.ts'
import { getAt, Tenant } from '../support/tenant.ts'
import { until } from '../support/until.ts'

let origin: AtollProcess
let edges: [AtollProcess, AtollProcess]
let tenant: Tenant

beforeAll(async () => {
  origin = await startAtoll({ role: 'origin' })
  tenant = new Tenant(origin)
  await tenant.project('open', { public: true })
  edges = [await tenant.edge('one'), await tenant.edge('two')]
}, 60_000)
afterAll(async () => {
  for (const running of [...(edges ?? []), origin]) await running?.[Symbol.asyncDispose]()
})

it('a neighbour that hangs is found out by its giving no sign of life, and the origin gives the blob', async () => {
  const [one, two] = edges
  await until('both are connected', async () => {
    const items = (await (await tenant.call('GET', '/api/atoll/v1/edges')).json()) as { status: string }[]
    return items.length === 2 && items.every(({ status }) => status === 'connected')
  })
  process.kill(two.pid, 'SIGSTOP')
  try {
    // Every other layer has its home at the one that hangs, once they know each other.
    await until('one says so', async () => {
      const image = randomImage({ layers: [100_000] })
      await tenant.push('open/app', image, { username: 'admin', password: ADMIN_PASSWORD }, 'v1')
      const layer = image.layers[0]?.digest ?? ''
      const blob = await getAt(one.edge, `/v2/open/app/blobs/${layer}`)
      expect([blob.status, sha256(new Uint8Array(await blob.arrayBuffer()))]).toEqual([200, layer])
      return (await one.output()).includes('It gives no sign of life.')
    })
  } finally {
    process.kill(two.pid, 'SIGCONT')
  }
}, 60_000)
