import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BareRegistry, bareRegistry, memoryLog } from '../../test/support/bare-registry.ts'
import type { BlobBody, Manifest, Registry, Repository } from '../registry.ts'
import { parseDigest } from '../spec/digests.ts'
import { RegistryError } from '../spec/errors.ts'
import { OCI_INDEX, OCI_MANIFEST } from '../spec/media-types.ts'
import { registryHandler } from './routes.ts'

const sha256 = (text: string) => parseDigest(`sha256:${createHash('sha256').update(text).digest('hex')}`)
const sha512 = (text: string) => parseDigest(`sha512:${createHash('sha512').update(text).digest('hex')}`)
const manifest = (fields: object) =>
  JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { mediaType: 'application/c', digest: sha256('c'), size: 1 },
    layers: [],
    ...fields,
  })

describe('the /v2 routes over a local registry', () => {
  let bare: BareRegistry
  beforeAll(async () => {
    bare = await bareRegistry({ projects: ['p'] })
  })
  afterAll(() => bare[Symbol.asyncDispose]())

  const ask = (method: string, path: string, body?: string, headers: Record<string, string> = {}) =>
    fetch(new URL(path, bare.server.url), { method, headers, redirect: 'manual', ...(body !== undefined && { body }) })
  const push = async (text: string, repository = 'p/app') => {
    const response = await ask('POST', `/v2/${repository}/blobs/uploads/?digest=${sha256(text)}`, text)
    expect(response.status).toBe(201)
    return sha256(text)
  }
  const put = (reference: string, body: string, search = '') =>
    ask('PUT', `/v2/p/app/manifests/${reference}${search}`, body, { 'Content-Type': OCI_MANIFEST })
  const code = async (response: Response) => ((await response.json()) as { errors: { code: string }[] }).errors[0]?.code

  it('says what it is on every answer', async () => {
    for (const path of ['/v2', '/v2/', '/v2/_catalog', '/v2/p/app/manifests/none', '/v2/nothing/here']) {
      expect((await ask('GET', path)).headers.get('docker-distribution-api-version')).toBe('registry/2.0')
    }
  })

  it('answers HEAD with the headers of GET and no body', async () => {
    const digest = await push('head')
    await put('head', manifest({ annotations: { a: 'head' } }))
    for (const path of [
      '/v2/',
      `/v2/p/app/blobs/${digest}`,
      '/v2/p/app/manifests/head',
      '/v2/p/app/tags/list',
      '/v2/_catalog',
      `/v2/p/app/referrers/${digest}`,
      '/v2/p/app/manifests/none',
    ]) {
      const [head, get] = [await ask('HEAD', path), await ask('GET', path)]
      const relevant = (response: Response) => [
        response.status,
        ...['content-length', 'content-type', 'docker-content-digest', 'etag'].map((name) => response.headers.get(name)),
      ]
      expect(relevant(head), path).toEqual(relevant(get))
      expect(await head.text()).toBe('')
      expect(String((await get.arrayBuffer()).byteLength)).toBe(get.headers.get('content-length'))
    }
  })

  it('serves parts of a blob as RFC 9110 has them', async () => {
    const digest = await push('0123456789')
    const path = `/v2/p/app/blobs/${digest}`
    const cases: readonly [string, number, string, string | null][] = [
      ['bytes=0-3', 206, '0123', 'bytes 0-3/10'],
      ['bytes=7-', 206, '789', 'bytes 7-9/10'],
      ['bytes=-2', 206, '89', 'bytes 8-9/10'],
      ['bytes=8-100', 206, '89', 'bytes 8-9/10'],
      ['bytes=0-1,3-4', 200, '0123456789', null],
      ['lines=1-2', 200, '0123456789', null],
    ]
    for (const [range, status, body, contentRange] of cases) {
      const response = await ask('GET', path, undefined, { Range: range })
      expect([response.status, await response.text(), response.headers.get('content-range')], range).toEqual([status, body, contentRange])
      expect(response.headers.get('accept-ranges')).toBe('bytes')
    }
    const outside = await ask('GET', path, undefined, { Range: 'bytes=10-' })
    expect([outside.status, outside.headers.get('content-range'), await code(outside)]).toEqual([416, 'bytes */10', 'RANGE_INVALID'])
    expect((await ask('GET', path, undefined, { Range: 'bytes=0-3', 'If-Range': '"other"' })).status).toBe(200)
    expect((await ask('GET', path, undefined, { 'If-None-Match': `"x", W/"${digest}"` })).status).toBe(304)
  })

  it('tells a client that sends a chunk out of order where to go on', async () => {
    const location = (await ask('POST', '/v2/p/app/blobs/uploads/?digest-algorithm=sha512')).headers.get('location') ?? ''
    expect((await ask('GET', location)).headers.get('range')).toBe('0-0')
    expect((await ask('PATCH', location, 'abc', { 'Content-Range': '0-2' })).headers.get('range')).toBe('0-2')
    for (const method of ['PATCH', 'PUT']) {
      const early = await ask(method, `${location}?digest=${sha512('abcdef')}`, 'def', { 'Content-Range': '9-11' })
      expect([early.status, early.headers.get('location'), early.headers.get('range')]).toEqual([416, location, '0-2'])
    }
    const short = await ask('PATCH', location, 'de', { 'Content-Range': '3-5' })
    expect([short.status, await code(short)]).toEqual([400, 'SIZE_INVALID'])
    const done = await ask('PUT', `${location}?digest=${sha512('abcdef')}`, 'def', { 'Content-Range': '3-5' })
    expect([done.status, done.headers.get('docker-content-digest')]).toEqual([201, sha512('abcdef')])
    expect(await (await ask('GET', done.headers.get('location') ?? '')).text()).toBe('abcdef')
    expect((await ask('DELETE', location)).status).toBe(404)
    expect((await ask('POST', '/v2/p/app/blobs/uploads/?digest-algorithm=md5')).status).toBe(400)
  })

  it('mounts from a named repository, finds one by itself, and else begins an upload', async () => {
    const digest = await push('to mount', 'p/source')
    expect((await ask('POST', `/v2/p/one/blobs/uploads/?mount=${digest}&from=p/source`)).status).toBe(201)
    expect((await ask('POST', `/v2/p/two/blobs/uploads/?mount=${digest}`)).status).toBe(201)
    expect((await ask('GET', `/v2/p/two/blobs/${digest}`)).status).toBe(200)
    expect((await ask('POST', `/v2/p/three/blobs/uploads/?mount=${digest}&from=p/nowhere`)).status).toBe(202)
    expect((await ask('GET', `/v2/p/three/blobs/${digest}`)).status).toBe(404)
  })

  it('names every tag that came with a digest, and the subject', async () => {
    const subject = sha256('no such subject')
    const body = manifest({ subject: { mediaType: OCI_MANIFEST, digest: subject, size: 1 } })
    const response = await put(sha256(body), body, '?tag=t1&tag=t2')
    expect([response.status, response.headers.get('oci-tag'), response.headers.get('oci-subject')]).toEqual([201, 't1, t2', subject])
    for (const tag of ['t1', 't2']) expect((await ask('HEAD', `/v2/p/app/manifests/${tag}`)).headers.get('docker-content-digest')).toBe(sha256(body))
    expect(await code(await put(sha256(body), body, '?tag=-bad'))).toBe('TAG_INVALID')
    expect((await put(sha256(body), body, `?${Array.from({ length: 101 }, (_, index) => `tag=x${index}`).join('&')}`)).status).toBe(414)
  })

  it('pages through tags, repositories and referrers by its own links, whole and in order', async () => {
    const subject = sha256('paged')
    const tags = ['a', 'b', 'c', 'd', 'e']
    for (const tag of tags) {
      const body = manifest({
        artifactType: tag < 'c' ? 'application/one' : 'application/two',
        subject: { mediaType: OCI_MANIFEST, digest: subject, size: 1 },
        annotations: { tag },
      })
      expect((await ask('PUT', `/v2/p/paged/manifests/${tag}`, body, { 'Content-Type': OCI_MANIFEST })).status).toBe(201)
    }
    const walk = async (first: string, field: string) => {
      const items: unknown[] = []
      let path: string | undefined = first
      for (let pages = 0; path !== undefined && pages < 20; pages++) {
        const response = await ask('GET', path)
        expect(response.status).toBe(200)
        const page = ((await response.json()) as Record<string, unknown[]>)[field] ?? []
        expect(page.length).toBeLessThanOrEqual(2)
        items.push(...page)
        path = response.headers.get('link')?.match(/^<([^>]+)>; rel="next"$/)?.[1]
      }
      return items
    }
    expect(await walk('/v2/p/paged/tags/list?n=2', 'tags')).toEqual(tags)
    const repositories = await walk('/v2/_catalog?n=2', 'repositories')
    expect(repositories).toEqual([...new Set(repositories)].sort())
    expect(repositories).toContain('p/paged')
    const found = (await walk(`/v2/p/paged/referrers/${subject}?n=2`, 'manifests')) as { annotations: { tag: string } }[]
    expect(found.map(({ annotations }) => annotations.tag).sort()).toEqual(tags)
    const filtered = await walk(`/v2/p/paged/referrers/${subject}?n=2&artifactType=application/two`, 'manifests')
    expect(filtered.length).toBe(3)
    const once = await ask('GET', `/v2/p/paged/referrers/${subject}?artifactType=application/one`)
    expect([once.headers.get('oci-filters-applied'), once.headers.get('content-type')]).toEqual(['artifactType', OCI_INDEX])
    const none = await ask('GET', '/v2/p/paged/tags/list?n=0')
    expect([await none.json(), none.headers.get('link')]).toEqual([{ name: 'p/paged', tags: [] }, null])
  })

  it('refuses in the envelope what is nowhere, not allowed, ambiguous or malformed', async () => {
    const digest = sha256('x')
    const cases: readonly [string, string, number, string][] = [
      ['GET', '/v2/p/app', 404, 'UNSUPPORTED'],
      ['GET', '/v2/p/app/tags/other', 404, 'UNSUPPORTED'],
      ['GET', '/v2/p%2fapp/manifests/latest', 400, 'NAME_INVALID'],
      ['GET', '/v2/p/..%2fq/manifests/latest', 400, 'NAME_INVALID'],
      ['GET', '/v2/P/app/manifests/latest', 400, 'NAME_INVALID'],
      ['GET', '/v2/p/app/manifests/sha256%3Aabc', 400, 'DIGEST_INVALID'],
      ['GET', `/v2/p/app/manifests/${digest.replace(':', '%3A')}`, 404, 'MANIFEST_UNKNOWN'],
      ['GET', '/v2/p/app/manifests/a%0d%0ab', 400, 'TAG_INVALID'],
      ['GET', `/v2/p/app/blobs/${digest}`, 404, 'BLOB_UNKNOWN'],
      ['GET', '/v2/p/app/blobs/uploads/none', 404, 'BLOB_UPLOAD_UNKNOWN'],
      ['GET', '/v2/p/nothing/tags/list', 404, 'NAME_UNKNOWN'],
      ['GET', '/v2/p/app/tags/list?n=-1', 400, 'PAGINATION_NUMBER_INVALID'],
      ['GET', '/v2/p/app/tags/list?n=1&n=2', 400, 'PAGINATION_NUMBER_INVALID'],
      ['POST', `/v2/p/app/blobs/uploads/?digest=${digest}&digest=${sha256('y')}`, 400, 'DIGEST_INVALID'],
      ['POST', '/v2/q/app/blobs/uploads/', 404, 'NAME_UNKNOWN'],
      ['PUT', '/v2/p/app/blobs/uploads/none', 400, 'DIGEST_INVALID'],
      ['POST', '/v2/p/app/manifests/latest', 405, 'UNSUPPORTED'],
      ['DELETE', '/v2/_catalog', 405, 'UNSUPPORTED'],
    ]
    for (const [method, path, status, expected] of cases) {
      const response = await ask(method, path)
      expect([response.status, await code(response)], `${method} ${path}`).toEqual([status, expected])
    }
    expect((await ask('POST', '/v2/p/app/manifests/latest')).headers.get('allow')).toBe('GET, HEAD, PUT, DELETE')
  })

  it('sees at once what another process writes', async () => {
    const body = manifest({ annotations: { a: 'first' } })
    const later = manifest({ annotations: { a: 'second' } })
    await put('moving', body)
    const digest = async () => (await ask('GET', '/v2/p/app/manifests/moving')).headers.get('docker-content-digest')
    expect(await digest()).toBe(sha256(body))
    expect(await digest()).toBe(sha256(body))
    await using other = await bare.another()
    expect(
      (await fetch(`${other.server.url}/v2/p/app/manifests/moving`, { method: 'PUT', body: later, headers: { 'Content-Type': OCI_MANIFEST } }))
        .status,
    ).toBe(201)
    expect(await digest()).toBe(sha256(later))
    expect((await fetch(`${other.server.url}/v2/p/app/manifests/moving`, { method: 'DELETE' })).status).toBe(202)
    expect(await digest()).toBeNull()
    expect((await ask('GET', `/v2/p/app/manifests/${sha256(later)}`)).status).toBe(200)
    expect((await fetch(`${other.server.url}/v2/p/app/manifests/${sha256(later)}`, { method: 'DELETE' })).status).toBe(202)
    expect((await ask('GET', `/v2/p/app/manifests/${sha256(later)}`)).status).toBe(404)
  })
})

describe('the /v2 routes over any registry', () => {
  const digest = sha256('scripted')
  const scripted = (nouns: Partial<Record<keyof Repository, object>>, open?: () => Promise<Registry>) => {
    const log = memoryLog()
    const registry: Pick<Registry, 'repository'> = { repository: (name) => ({ name, ...nouns }) as Repository }
    const handle = registryHandler({
      open: open ?? (async () => registry as Registry),
      ping: async () => undefined,
      log,
      requestId: () => 'request-7',
    })
    return { log, ask: (path: string, init?: RequestInit) => handle(new Request(`http://registry${path}`, init)) }
  }

  it('passes on warnings, and addresses to go to instead', async () => {
    const found: Manifest = {
      descriptor: { mediaType: OCI_MANIFEST, digest, size: 2 },
      bytes: new TextEncoder().encode('{}'),
      warnings: [{ code: 110, text: 'stale "and"\r\nold' }],
    }
    const elsewhere: BlobBody = { size: 3, location: new URL('https://bucket.example/x?sig=1'), expires: new Date(0) }
    const { ask } = scripted({ manifests: { get: async () => found }, blobs: { open: async () => elsewhere } })
    expect((await ask('/v2/p/app/manifests/latest')).headers.get('warning')).toBe('110 - "stale \\"and\\"  old"')
    const redirect = await ask(`/v2/p/app/blobs/${digest}`)
    expect([redirect.status, redirect.headers.get('location')]).toEqual([307, 'https://bucket.example/x?sig=1'])
  })

  it('passes a challenge on, with a body that says why', async () => {
    const challenge = { 'WWW-Authenticate': 'Bearer realm="https://registry/service/token"' }
    const { ask } = scripted({}, () => Promise.reject(new RegistryError('UNAUTHORIZED', 'Log in.', undefined, { headers: challenge })))
    const response = await ask('/v2/p/app/manifests/latest')
    expect([response.status, response.headers.get('www-authenticate'), await response.json()]).toEqual([
      401,
      challenge['WWW-Authenticate'],
      { errors: [{ code: 'UNAUTHORIZED', message: 'Log in.' }] },
    ])
  })

  it('keeps a fault of its own to itself and to the log', async () => {
    const { ask, log } = scripted({ manifests: { get: () => Promise.reject(new Error('password is hunter2')) } })
    const response = await ask('/v2/p/app/manifests/latest?token=abc')
    const body = await response.text()
    expect(response.status).toBe(500)
    expect(body).not.toContain('hunter2')
    expect(JSON.parse(body).errors[0]).toMatchObject({ code: 'UNKNOWN', detail: { requestId: 'request-7' } })
    expect(log.entries).toMatchObject([{ level: 'error', fields: { requestId: 'request-7' } }])
    expect(JSON.stringify(log.entries)).not.toContain('abc')
  })
})
