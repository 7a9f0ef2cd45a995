import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../support/until.ts'
import { ADMIN, OCI_MANIFEST, sha256, TestOrigin, token, tokenOf, whole } from './support.ts'
import { bundleWorker, TestWorker } from './worker-support.ts'

describe('a push to a Worker', () => {
  let origin: TestOrigin
  let edge: TestWorker
  let bearer: string

  beforeAll(async () => {
    origin = await TestOrigin.start()
    await origin.project('team', { public: false })
    edge = await TestWorker.start(origin, await bundleWorker())
    bearer = await tokenOf(await edge.token('repository:team/app:pull,push', ADMIN))
  })
  afterAll(async () => {
    await edge?.[Symbol.asyncDispose]()
    await origin?.[Symbol.asyncDispose]()
  })

  const send = async (method: string, url: string | URL, body?: Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
    await whole(await fetch(new URL(url, edge.url), { method, headers, ...(body && { body }) }))
  const authorized = () => ({ authorization: `Bearer ${bearer}` })
  const begin = async () =>
    new URL((await send('POST', '/v2/team/app/blobs/uploads/', undefined, authorized())).headers.get('location') ?? '', edge.url)
  const withDigest = (location: string | URL, digest: string) => {
    const url = new URL(location, origin.url)
    url.searchParams.set('digest', digest)
    return url
  }

  it('begins here and goes on at the origin, by an address that needs no token, and ends here with the manifest', async () => {
    const layer = new Uint8Array(randomBytes(500_000))
    const first = await begin()
    expect(first.origin).toBe(origin.url)
    const patched = await send('PATCH', first, layer)
    expect(patched.status).toBe(202)
    const done = await send('PUT', withDigest(patched.headers.get('location') ?? '', sha256(layer)))
    expect([done.status, done.headers.get('docker-content-digest')]).toEqual([201, sha256(layer)])
    const manifest = new TextEncoder().encode(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: OCI_MANIFEST,
        config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: sha256(layer), size: layer.length },
        layers: [],
      }),
    )
    const put = await send('PUT', '/v2/team/app/manifests/1', manifest, { ...authorized(), 'content-type': OCI_MANIFEST })
    expect([put.status, put.headers.get('docker-content-digest')]).toEqual([201, sha256(manifest)])
    await until('it can be pulled here', async () => (await edge.get('/v2/team/app/manifests/1', bearer)).status === 200)
    const pulled = await edge.get(`/v2/team/app/blobs/${sha256(layer)}`, bearer)
    expect(sha256(new Uint8Array(await pulled.arrayBuffer()))).toBe(sha256(layer))
  })

  it('has a ticket for that upload alone: for no other, for no manifest, and not as a token', async () => {
    const [mine, other] = [await begin(), await begin()]
    const ticket = mine.searchParams.get('ticket') ?? ''
    const stolen = new URL(other)
    stolen.searchParams.set('ticket', ticket)
    expect((await send('PATCH', stolen, new Uint8Array(10))).status).toBe(401)
    const elsewhere = new URL(mine)
    elsewhere.pathname = elsewhere.pathname.replace('/team/app/', '/team/other/')
    expect((await send('PATCH', elsewhere, new Uint8Array(10))).status).toBe(401)
    for (const path of ['/v2/team/app/manifests/1', '/v2/team/app/tags/list']) {
      expect((await send('GET', new URL(`${path}?ticket=${ticket}`, origin.url))).status).toBe(401)
      expect((await send('GET', new URL(path, origin.url), undefined, { authorization: `Bearer ${ticket}` })).status).toBe(401)
    }
    expect((await send('PATCH', new URL(mine.pathname, origin.url), new Uint8Array(10))).status).toBe(401)
    expect((await send('GET', mine)).status).toBe(204)
  })

  it('ends with the right to push', async () => {
    await origin.api('POST', '/api/v2.0/users', { username: 'dev', password: 'Harbour54321', email: 'dev@example.com', realname: 'Dev' })
    await origin.api('POST', '/api/v2.0/projects/team/members', { role_id: 2, member_user: { username: 'dev' } })
    const dev = await tokenOf(await token(edge.url, 'repository:team/app:pull,push', { username: 'dev', password: 'Harbour54321' }))
    let location = ''
    await until('the edge knows the new member', async () => {
      const answer = await send('POST', '/v2/team/app/blobs/uploads/', undefined, { authorization: `Bearer ${dev}` })
      location = answer.headers.get('location') ?? ''
      return answer.status === 202
    })
    expect((await send('GET', location)).status).toBe(204)
    const members = (await (await origin.api('GET', '/api/v2.0/projects/team/members?entityname=dev')).json()) as { id: number }[]
    await origin.api('DELETE', `/api/v2.0/projects/team/members/${members[0]?.id}`)
    expect((await send('PATCH', location, new Uint8Array(10))).status).toBe(403)
  })

  it('passes small bodies of clients that stay, and refuses large ones early with the address where they can go', async () => {
    const small = new Uint8Array(randomBytes(1_000))
    const monolithic = await send('POST', `/v2/team/app/blobs/uploads/?digest=${sha256(small)}`, small, authorized())
    expect([monolithic.status, monolithic.headers.get('docker-content-digest')]).toEqual([201, sha256(small)])
    const here = new URL((await begin()).pathname, edge.url)
    expect((await send('PUT', withDigest(here, sha256(small)), small, authorized())).status).toBe(201)
    const large = await answerBeforeBody(new URL(`/v2/team/app/blobs/uploads/?digest=${sha256(small)}`, edge.url), {
      ...authorized(),
      'content-length': '100000001',
    })
    expect(large.status).toBe(413)
    expect(large.text).toContain(`Push to ${new URL(origin.url).host} instead`)
  })

  it('that is caught by a hanging origin is refused in a moment, as is what is asked for then', { timeout: 30_000 }, async () => {
    const bytes = new Uint8Array(randomBytes(1_000))
    const here = new URL((await begin()).pathname, edge.url)
    const before = edge.line.asked.length
    edge.line.hang()
    const push = send('PUT', withDigest(here, sha256(bytes)), bytes, authorized())
    await until('it is on its way', () => edge.line.asked.slice(before).some((path) => path.includes('/blobs/uploads/')))
    const refused = await push
    expect([refused.status, await refused.text()]).toEqual([503, expect.stringContaining('The origin of this edge cannot be reached')])
    const list = await edge.get('/v2/team/app/tags/list', bearer)
    expect([list.status, await list.text()]).toEqual([503, expect.stringContaining('The origin of this edge cannot be reached')])
    edge.line.release()
    await edge.connected()
  })

  it('is refused at once while the origin is away', async () => {
    edge.line.cut()
    await edge.disconnected()
    const refused = await send('POST', '/v2/team/app/blobs/uploads/', undefined, authorized())
    expect([refused.status, await refused.text()]).toEqual([503, expect.stringContaining('The origin of this edge cannot be reached')])
    edge.line.down = false
  })
})

/** Announces a body and sends only its first bytes: an answer to this is one that did not wait for the body. */
async function answerBeforeBody(url: URL, headers: Record<string, string>): Promise<{ readonly status: number | undefined; readonly text: string }> {
  const sent = request(url, { method: 'POST', headers })
  try {
    sent.write(new Uint8Array(1_000))
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    return { status: answer.statusCode, text: await text(answer) }
  } finally {
    sent.destroy()
  }
}
