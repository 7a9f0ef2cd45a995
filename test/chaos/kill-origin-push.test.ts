import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AtollProcess, startAtoll } from '../support/atoll.ts'
import { sha256 } from '../support/images.ts'
import { Tenant } from '../support/tenant.ts'
import { until } from '../support/until.ts'

const LAYER_BYTES = 8 * 1024 * 1024
const KILLS = 4

describe('kill -9 of the origin in the middle of a push through an edge', () => {
  let origin: AtollProcess
  let edge: AtollProcess

  beforeAll(async () => {
    origin = await startAtoll({ role: 'origin' })
    const tenant = new Tenant(origin)
    await tenant.project('team', { public: false })
    const token = await tenant.enrolmentToken('edge')
    edge = await startAtoll({ role: 'edge', env: { ATOLL_EDGE_ORIGIN_URL: `http://${origin.origin}`, ATOLL_EDGE_ENROLMENT_TOKEN: token } })
  }, 60_000)
  afterAll(async () => {
    await edge?.[Symbol.asyncDispose]()
    await origin?.[Symbol.asyncDispose]()
  })

  it('says at once that the origin is away, leaves nothing that can be pulled, and the next push is whole and warm', async () => {
    const layer = new Uint8Array(randomBytes(LAYER_BYTES))
    const digest = sha256(layer)
    for (let kill = 0; kill < KILLS; kill++) {
      const authorization = await bearer()
      const location = await begin(authorization)
      const answer = await pushUntilKilled(`${location}?digest=${digest}`, authorization, Math.floor((LAYER_BYTES * (kill + 1)) / (KILLS + 2)))
      expect(answer, await answer.clone().text()).toMatchObject({ status: 503 })
      expect(await answer.text()).toContain('The origin of this edge cannot be reached')
      const again = await send('POST', '/v2/team/app/blobs/uploads/', authorization)
      expect([again.status, again.headers.get('retry-after')]).toEqual([503, '5'])
      await origin.restart()
      await begin(await bearer())
      expect((await send('GET', `/v2/team/app/blobs/${digest}`, await bearer())).status).toBe(404)
    }
    const authorization = await bearer()
    const push = async () => (await send('POST', `/v2/team/app/blobs/uploads/?digest=${digest}`, authorization, layer)).status
    await until('the edge hears its origin and takes the push', async () => (await push()) === 201)
    await origin.kill()
    const warm = await fetch(`http://${edge.edge}/v2/team/app/blobs/${digest}`, { headers: { authorization } })
    expect(sha256(new Uint8Array(await warm.arrayBuffer()))).toBe(digest)
  }, 120_000)

  /** As soon as the edge hears its origin (again). */
  async function begin(authorization: string): Promise<string> {
    let location = ''
    await until('a push can begin', async () => {
      const answer = await send('POST', '/v2/team/app/blobs/uploads/', authorization)
      location = answer.headers.get('location') ?? ''
      return answer.status === 202
    })
    return location
  }

  /** Half of the body, then the kill, then the rest as far as anybody takes it. */
  async function pushUntilKilled(path: string, authorization: string, at: number): Promise<Response> {
    const parts = [new Uint8Array(at), new Uint8Array(LAYER_BYTES - at)]
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
      {
        async pull(controller) {
          const part = parts.shift()
          if (part === undefined) return controller.close()
          if (parts.length === 0) await origin.kill()
          controller.enqueue(part)
        },
      },
      { highWaterMark: 0 },
    )
    const init = { method: 'PUT', headers: { authorization }, body, duplex: 'half' }
    return await fetch(`http://${edge.edge}${path}`, init)
  }

  async function send(method: string, path: string, authorization: string, body?: Uint8Array<ArrayBuffer>): Promise<Response> {
    const answer = await fetch(`http://${edge.edge}${path}`, { method, headers: { authorization }, ...(body && { body }) })
    return new Response(await answer.arrayBuffer(), answer)
  }

  async function bearer(): Promise<string> {
    const answer = await origin.api('GET', '/service/token?service=atoll&scope=repository:team/app:pull,push')
    return `Bearer ${((await answer.json()) as { token: string }).token}`
  }
})
