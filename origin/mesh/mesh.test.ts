import { decodeProtectedHeader } from 'jose'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ProjectDocument } from '../../mesh/documents.ts'
import { type Enrolment, MESH, type TokenAnswer } from '../../mesh/enrolment.ts'
import type { FeedBatch } from '../../mesh/feed.ts'
import { PROOF_MEMORY_S, PROOF_WINDOW_S, signDocument, verifyDocument } from '../../mesh/signing.ts'
import { verifyAccessToken } from '../../mesh/tokens.ts'
import { createProject, findProjectByName, updateProject } from '../../schema/projects.ts'
import { newToken, openTestOrigin, PASSWORD, TestEdge, type TestOrigin } from '../testing/origin.ts'

const ADMIN = `admin:${PASSWORD}`

let origin: TestOrigin
beforeEach(async () => {
  origin = await openTestOrigin()
})
afterEach(() => origin.close())

/** The batches of a feed, as they come. */
async function* batches(response: Response): AsyncGenerator<FeedBatch> {
  let text = ''
  for await (const chunk of response.body ?? []) {
    text += new TextDecoder().decode(chunk)
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      yield await verifyDocument<FeedBatch>('atoll-feed+jws', text.slice(0, end), origin.origin.keys.jwks)
      text = text.slice(end + 1)
    }
  }
}

describe('enrolment', () => {
  it('makes an edge of who holds the token and the key', async () => {
    const edge = await TestEdge.make(origin)
    const response = await edge.enrol(await newToken(origin, 'fra-1'))
    expect(response.status).toBe(201)
    const enrolment = (await response.json()) as Enrolment
    expect(enrolment).toMatchObject({ name: 'fra-1', region: 'eu', issuer: 'atoll', service: 'atoll', jwks: { keys: [{ kty: 'OKP' }] } })
    expect(JSON.stringify(enrolment)).not.toContain('"d"')
    const list = await (await origin.ask('GET', '/api/atoll/v1/edges', { credentials: ADMIN })).json()
    expect(list).toMatchObject([{ id: enrolment.id, name: 'fra-1', region: 'eu', status: 'disconnected' }])
  })

  it('takes a token once, also when many try at the same moment', async () => {
    const token = await newToken(origin, 'fra-1')
    const edges = await Promise.all(Array.from({ length: 8 }, () => TestEdge.make(origin)))
    const statuses = await Promise.all(edges.map(async (edge) => (await edge.enrol(token)).status))
    expect(statuses.sort()).toEqual([201, ...Array.from({ length: 7 }, () => 401)])
    expect((await (await TestEdge.make(origin)).enrol(token)).status).toBe(401)
  })

  it('refuses a token after its hour, and one that never was', async () => {
    const token = await newToken(origin, 'fra-1')
    origin.clock.ahead = 60 * 60_000 + 1
    expect((await (await TestEdge.make(origin)).enrol(token)).status).toBe(401)
    expect((await (await TestEdge.make(origin)).enrol('made-up')).status).toBe(401)
  })

  it('enrols no key that the applicant cannot prove to hold, and does not use up the token for that', async () => {
    const token = await newToken(origin, 'fra-1')
    const mine = await TestEdge.make(origin)
    const other = await TestEdge.make(origin)
    expect((await mine.enrol(token, { publicKey: other.publicKey })).status).toBe(401)
    expect((await mine.enrol(token, { proof: await other.proof('POST', MESH.enrol, other.kid) })).status).toBe(401)
    expect((await mine.enrol(token, { proof: await mine.proof('GET', MESH.feed, mine.kid) })).status).toBe(401)
    expect((await mine.enrol(token)).status).toBe(201)
  })

  it('is started by administrators alone', async () => {
    expect((await origin.ask('POST', '/api/atoll/v1/edges', { json: { name: 'x', region: '' } })).status).toBe(401)
    expect((await origin.ask('GET', '/api/atoll/v1/edges')).status).toBe(401)
    expect((await origin.ask('POST', '/api/atoll/v1/edges', { credentials: ADMIN, json: { name: '../x' } })).status).toBe(400)
    expect((await origin.ask('POST', '/api/atoll/v1/edges', { credentials: ADMIN, json: { name: 'x', region: 'x y' } })).status).toBe(400)
    const edge = await TestEdge.enrolled(origin)
    expect(
      (await origin.ask('GET', '/api/atoll/v1/edges', { credentials: `Atoll-Edge ${await edge.proof('GET', '/api/atoll/v1/edges')}` })).status,
    ).toBe(401)
  })
})

describe('an edge’s proof', () => {
  const path = MESH.project('library')

  it('is good for its own request, once', async () => {
    const edge = await TestEdge.enrolled(origin)
    const credentials = `Atoll-Edge ${await edge.proof('GET', path)}`
    expect((await origin.ask('GET', path, { credentials })).status).toBe(200)
    expect((await origin.ask('GET', path, { credentials })).status).toBe(401)
  })

  it('is good for no other path, method, edge or time', async () => {
    const edge = await TestEdge.enrolled(origin, 'fra-1')
    const other = await TestEdge.enrolled(origin, 'fra-2')
    const refused = [
      await edge.proof('GET', MESH.project('quay-proxy')),
      await edge.proof('POST', path),
      await edge.proof('GET', path, other.id),
      await edge.proof('GET', path, 'nobody'),
      await edge.proof('GET', path, edge.id, origin.clock.now() - (2 * PROOF_WINDOW_S + 5) * 1000),
      await edge.proof('GET', path, edge.id, origin.clock.now() + (PROOF_WINDOW_S + 5) * 1000),
    ]
    for (const proof of refused) expect((await origin.ask('GET', path, { credentials: `Atoll-Edge ${proof}` })).status).toBe(401)
    for (const junk of ['', 'x', 'a.b.c', 'e30.e30.e30']) {
      expect((await origin.ask('GET', path, { credentials: `Atoll-Edge ${junk}` })).status).toBe(401)
    }
  })

  it('of a clock that is early cannot be used again for as long as it is good', async () => {
    const edge = await TestEdge.enrolled(origin)
    const early = await edge.proof('GET', path, edge.id, origin.clock.now() + (PROOF_WINDOW_S - 2) * 1000)
    expect((await origin.ask('GET', path, { credentials: `Atoll-Edge ${early}` })).status).toBe(200)
    origin.clock.ahead = (PROOF_MEMORY_S - 10) * 1000
    expect((await origin.ask('GET', path, { credentials: `Atoll-Edge ${early}` })).status).toBe(401)
  })

  it('reads repositories and writes none', async () => {
    const edge = await TestEdge.enrolled(origin)
    expect((await edge.ask('GET', '/v2/library/app/tags/list')).status).toBe(404)
    expect((await edge.ask('POST', '/v2/library/app/blobs/uploads/')).status).toBe(403)
  })

  it('counts no more once the edge is revoked', async () => {
    const edge = await TestEdge.enrolled(origin)
    expect((await origin.ask('DELETE', `/api/atoll/v1/edges/${edge.id}`, { credentials: ADMIN })).status).toBe(204)
    for (const where of [path, MESH.feed, '/v2/library/app/tags/list']) expect((await edge.ask('GET', where)).status).toBe(403)
    expect((await origin.ask('DELETE', `/api/atoll/v1/edges/${edge.id}`, { credentials: ADMIN })).status).toBe(404)
    const again = await TestEdge.enrolled(origin, 'fra-1')
    expect(again.id).not.toBe(edge.id)
  })
})

describe('documents', () => {
  it('hold a project’s facts, at least as new as their version, signed as policy', async () => {
    const edge = await TestEdge.enrolled(origin)
    const jws = await (await edge.ask('GET', MESH.project('dockerhub-proxy'))).text()
    const document = await verifyDocument<ProjectDocument>('atoll-policy+jws', jws, origin.origin.keys.jwks)
    expect(document).toMatchObject({
      type: 'project',
      facts: { name: 'dockerhub-proxy', public: true, proxy: true },
      upstream: { kind: 'docker-hub', url: 'https://hub.docker.com', verifyTls: true, credentials: 'anonymous' },
    })
    await expect(verifyDocument('atoll-feed+jws', jws, origin.origin.keys.jwks)).rejects.toThrow()
    expect((await edge.ask('GET', MESH.project('nothing'))).status).toBe(404)
    expect((await edge.ask('GET', MESH.principal('user:99'))).status).toBe(404)
    expect((await origin.ask('GET', MESH.project('library'), { credentials: ADMIN })).status).toBe(401)
  })

  it('that edges sign themselves are not the origin’s', async () => {
    const edge = await TestEdge.enrolled(origin)
    const forged = await signDocument('atoll-policy+jws', { type: 'project' }, { kid: edge.kid, privateKey: edge.privateKey })
    await expect(verifyDocument('atoll-policy+jws', forged, origin.origin.keys.jwks)).rejects.toThrow()
  })
})

describe('the feed', () => {
  it('tells of every change after the cursor, without a hole, and beats while nothing happens', async () => {
    const edge = await TestEdge.enrolled(origin)
    const { db } = origin.origin.services
    const feed = batches(await edge.ask('GET', MESH.feed))
    const first = (await feed.next()).value as FeedBatch
    expect(first).toMatchObject({ after: first.upto, entries: [] })
    const { id } = await createProject(db, { name: 'team', ownerId: 1, public: false }, 'user:1')
    await updateProject(db, id, { public: true }, 'user:1')
    let cursor = first.upto
    const names: string[] = []
    while (names.length < 2) {
      const batch = (await feed.next()).value as FeedBatch
      expect(batch.after).toBe(cursor)
      cursor = batch.upto
      names.push(...batch.entries.flatMap((entry) => (entry.kind === 'mirrors' ? [] : [entry.kind === 'project' ? entry.name : entry.kind])))
    }
    expect(names).toEqual(['team', 'team'])
    const beat = (await feed.next()).value as FeedBatch
    expect(beat).toMatchObject({ after: cursor, upto: cursor, entries: [] })
    await feed.return(undefined)
  })

  it('gives an edge that was away what it missed', async () => {
    const edge = await TestEdge.enrolled(origin)
    const feed = batches(await edge.ask('GET', MESH.feed, { query: '?after=0' }))
    const batch = (await feed.next()).value as FeedBatch
    expect(batch.after).toBe(0)
    expect(batch.entries).toContainEqual(expect.objectContaining({ kind: 'project', name: 'library' }))
    expect(batch.entries).toContainEqual(expect.objectContaining({ kind: 'principal', id: 'user:1' }))
    await feed.return(undefined)
    expect((await edge.ask('GET', MESH.feed, { query: '?after=999999' })).status).toBe(416)
    expect((await edge.ask('GET', MESH.feed, { query: '?after=-1' })).status).toBe(400)
  })

  it('ends at once when the edge is revoked, and only that edge’s', async () => {
    const edge = await TestEdge.enrolled(origin, 'fra-1')
    const other = await TestEdge.enrolled(origin, 'fra-2')
    const feed = batches(await edge.ask('GET', MESH.feed))
    const others = batches(await other.ask('GET', MESH.feed))
    await feed.next()
    await others.next()
    const status = async () =>
      ((await (await origin.ask('GET', '/api/atoll/v1/edges?revoked=true', { credentials: ADMIN })).json()) as { id: string; status: string }[]).find(
        ({ id }) => id === edge.id,
      )?.status
    expect(await status()).toBe('connected')
    await origin.ask('DELETE', `/api/atoll/v1/edges/${edge.id}`, { credentials: ADMIN })
    for await (const batch of feed) expect(batch.entries).toEqual([])
    expect(await status()).toBe('revoked')
    expect((await others.next()).done).toBe(false)
    await others.return(undefined)
  })

  it('ends when its reader leaves, and the edge counts as disconnected', async () => {
    const edge = await TestEdge.enrolled(origin)
    const feed = batches(await edge.ask('GET', MESH.feed))
    await feed.next()
    await feed.return(undefined)
    const [shown] = (await (await origin.ask('GET', '/api/atoll/v1/edges', { credentials: ADMIN })).json()) as { status: string }[]
    expect(shown?.status).toBe('disconnected')
  })
})

describe('a login at an edge', () => {
  it('gets a token of the origin and the document of whom it is for', async () => {
    const edge = await TestEdge.enrolled(origin)
    const response = await edge.ask('POST', MESH.tokens, {
      json: { username: 'admin', password: PASSWORD, scopes: ['repository:library/app:pull,push', 'repository:secret/x:pull'] },
    })
    expect(response.status).toBe(200)
    const answer = (await response.json()) as TokenAnswer
    const token = await verifyAccessToken(answer.token, { issuer: 'atoll', audience: 'atoll', jwks: origin.origin.keys.jwks }, origin.clock.now())
    expect(token).toMatchObject({ subject: 'user:1', access: [{ name: 'library/app', actions: ['pull', 'push'] }] })
    expect(decodeProtectedHeader(answer.principal).typ).toBe('atoll-policy+jws')
  })

  it('is refused with a wrong password, and slowed down after ten', async () => {
    const edge = await TestEdge.enrolled(origin)
    const attempt = async (username: string) => (await edge.ask('POST', MESH.tokens, { json: { username, password: 'wrong', scopes: [] } })).status
    for (let index = 0; index < 10; index++) expect(await attempt('admin')).toBe(401)
    expect(await attempt('admin')).toBe(429)
    // Nobody is locked out elsewhere, and nobody else here.
    expect(await attempt('other')).toBe(401)
    expect((await origin.ask('GET', '/service/token', { credentials: ADMIN })).status).toBe(200)
  })

  it('is slowed down for the client that guesses, and for nobody else at that edge', async () => {
    const edge = await TestEdge.enrolled(origin)
    const login = async (client: string, password: string) =>
      (await edge.ask('POST', MESH.tokens, { json: { username: 'admin', password, scopes: [], client } })).status
    for (let index = 0; index < 10; index++) expect(await login(`2001:db8:1:2::${index}`, 'wrong')).toBe(401)
    expect(await login('2001:db8:1:2:ffff::', PASSWORD)).toBe(429)
    expect(await login('2001:db8:1:3::1', PASSWORD)).toBe(200)
    expect(await login('198.51.100.7', PASSWORD)).toBe(200)
  })
})

describe('reports and upstream tokens', () => {
  it('shows what an edge reports', async () => {
    const edge = await TestEdge.enrolled(origin)
    const json = { version: '0.1.1', cursor: 3, hits: 5, misses: 1, bytesServed: 10, bytesFetched: 2, diskBytes: 7 }
    expect((await edge.ask('POST', MESH.report, { json })).status).toBe(204)
    const [shown] = (await (await origin.ask('GET', '/api/atoll/v1/edges', { credentials: ADMIN })).json()) as unknown[]
    expect(shown).toMatchObject({ version: '0.1.1', cursor: 3, report: { hits: 5, diskBytes: 7 } })
    expect((await edge.ask('POST', MESH.report, { json: { ...json, hits: -1 } })).status).toBe(400)
  })

  it('tells an edge what others have heard since of a login that they share, and of nobody else', async () => {
    const one = await TestEdge.enrolled(origin)
    const other = await TestEdge.enrolled(origin, 'other')
    const counts = { version: '0.1.1', cursor: 3, hits: 5, misses: 1, bytesServed: 10, bytesFetched: 2, diskBytes: 7 }
    const heard = (at: number, remaining: number) =>
      ['login.3', 'anonymous'].map((credential) => ({ upstream: 'index.docker.io', credential, limit: 40, remaining, at }))
    const report = async (edge: TestEdge, upstreams: object[]) => await edge.ask('POST', MESH.report, { json: { ...counts, upstreams } })
    expect((await report(one, heard(2_000, 3))).status).toBe(204)
    const told = await report(other, heard(1_000, 30))
    expect([told.status, await told.json()]).toEqual([200, { upstreams: [heard(2_000, 3)[0]] }])
    expect((await report(other, heard(3_000, 2))).status).toBe(204)
    expect(await (await report(one, heard(2_000, 3))).json()).toEqual({ upstreams: [heard(3_000, 2)[0]] })
  })

  it('knows where an edge is that has moved, and tells the others', async () => {
    const edge = await TestEdge.enrolled(origin)
    const json = { version: '0.1.1', cursor: 3, hits: 0, misses: 0, bytesServed: 0, bytesFetched: 0, diskBytes: 0, url: 'https://new.example.com' }
    const feed = await edge.ask('GET', MESH.feed)
    const told = batches(feed)
    await told.next()
    for (let n = 0; n < 2; n++) expect((await edge.ask('POST', MESH.report, { json })).status).toBe(204)
    let batch = await told.next()
    while (batch.done !== true && batch.value.entries.length === 0) batch = await told.next()
    expect(batch.value).toMatchObject({ entries: [{ kind: 'edges' }] })
    await told.return(undefined)
    const [shown] = (await (await origin.ask('GET', '/api/atoll/v1/edges', { credentials: ADMIN })).json()) as unknown[]
    expect(shown).toMatchObject({ url: 'https://new.example.com' })
    expect(shown).not.toHaveProperty('report.url')
    for (const url of ['ftp://x', 'nonsense']) expect((await edge.ask('POST', MESH.report, { json: { ...json, url } })).status).toBe(400)
  })

  it('hands out no upstream token to push, or for a project that is no proxy cache', async () => {
    const edge = await TestEdge.enrolled(origin)
    const ask = async (project: string, scope: string) => (await edge.ask('POST', MESH.upstreamTokens, { json: { project, scope } })).status
    expect(await ask('dockerhub-proxy', 'repository:library/nginx:pull,push')).toBe(403)
    expect(await ask('dockerhub-proxy', 'registry:catalog:*')).toBe(403)
    expect(await ask('library', 'repository:library/nginx:pull')).toBe(404)
    expect(await findProjectByName(origin.origin.services.db, 'library')).toBeDefined()
  })
})
