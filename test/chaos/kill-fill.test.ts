import { createHash, randomInt } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AtollProcess, startAtoll } from '../support/atoll.ts'
import { randomImage, sha256 } from '../support/images.ts'
import { getAt, Tenant } from '../support/tenant.ts'
import { startUpstream, type Upstream } from '../support/upstream/upstream.ts'

const LAYER_BYTES = 48 * 1024 * 1024
const KILLS = 6
/** What a cut may cost: a slice, and what was under way between the upstream and the disk. */
const BYTES_A_KILL = 16 * 1024 * 1024
/** What the sockets of both ends hold for a client that gets no processor for a while. */
const BYTES_UNDER_WAY = 16_000_000
const BYTES_A_SECOND = 40_000_000
const upstream = await startUpstream()

describe.skipIf(upstream === undefined)('kill -9 of an edge in the middle of a fill', () => {
  const hub = upstream as Upstream
  let origin: AtollProcess
  let edge: AtollProcess

  beforeAll(async () => {
    origin = await startAtoll({ role: 'origin' })
    const tenant = new Tenant(origin)
    const id = await tenant.endpoint({ name: 'hub', type: 'docker-hub', url: hub.url.origin, insecure: true })
    await tenant.project('hub', { public: true, registry_id: id })
    const token = await tenant.enrolmentToken('edge')
    const env = { ATOLL_EDGE_ORIGIN_URL: `http://${origin.origin}`, ATOLL_EDGE_ENROLMENT_TOKEN: token }
    edge = await startAtoll({ role: 'edge', env })
  }, 60_000)
  afterAll(async () => {
    await edge?.[Symbol.asyncDispose]()
    await origin?.[Symbol.asyncDispose]()
    await upstream?.close()
  })

  it('serves no part as the whole, goes on where it was, and stores what is right or nothing', async () => {
    const image = randomImage({ layers: [LAYER_BYTES] })
    const layer = image.layers[0]?.digest ?? ''
    const path = `/v2/hub/library/big/blobs/${layer}`
    await hub.push('library/big', image, 'v1')
    hub.faults.bytesPerSecond = BYTES_A_SECOND
    hub.reset()
    let kills = 0
    for (; kills < KILLS; kills++) {
      // Not so near the end that all the rest is on its way to us already.
      const at = randomInt(1, LAYER_BYTES - BYTES_UNDER_WAY)
      expect(await readUntilKilled(path, at), `killed after ${at} bytes`).toBe('cut')
      for (const { name, digest } of await stored()) expect(digest, name).toBe(name)
      await edge.restart()
    }
    const pulled = await getAt(edge.edge, path)
    expect([pulled.status, sha256(new Uint8Array(await pulled.arrayBuffer()))]).toEqual([200, layer])
    const { blobBytes } = hub.counts
    process.stdout.write(`a layer of ${LAYER_BYTES} bytes cost the upstream ${blobBytes} with ${kills} kills\n`)
    expect(blobBytes).toBeLessThanOrEqual(LAYER_BYTES + kills * BYTES_A_KILL)
    expect((await stored()).map(({ digest }) => digest)).toContain(layer)
    await getAt(edge.edge, path)
    expect(hub.counts.blobBytes, 'it is held now').toBe(blobBytes)
  }, 180_000)

  /** `whole`: the answer ended well, though the edge was killed under it. */
  async function readUntilKilled(path: string, at: number): Promise<'cut' | 'whole'> {
    const answer = await fetch(`http://${edge.edge}${path}`)
    expect(answer.status).toBe(200)
    let received = 0
    try {
      for await (const chunk of answer.body ?? []) {
        received += chunk.length
        if (received >= at) await edge.kill()
      }
      return 'whole'
    } catch {
      return 'cut'
    }
  }

  /** Every blob that the edge's folder has under a digest, and what its bytes hash to. */
  async function stored(): Promise<{ name: string; digest: string }[]> {
    const files = await readdir(edge.data, { recursive: true, withFileTypes: true })
    const blobs = files.filter((file) => file.isFile() && /^[0-9a-f]{64}$/.test(file.name) && file.parentPath.includes('/blobs/blobs/sha256/'))
    return Promise.all(
      blobs.map(async ({ parentPath, name }) => {
        const hash = createHash('sha256')
        for await (const chunk of createReadStream(join(parentPath, name))) hash.update(chunk as Buffer)
        return { name: `sha256:${name}`, digest: `sha256:${hash.digest('hex')}` }
      }),
    )
  }
})
