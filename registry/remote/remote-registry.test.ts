import { createHash } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { createHasher } from '../../stores/hasher.ts'
import { TestClock } from '../../test/support/clock.ts'
import { type Script, ScriptedServer } from '../../test/support/scripted-server.ts'
import { systemClock } from '../clock.ts'
import { type Digest, parseDigest } from '../spec/digests.ts'
import { MANIFEST_LIMIT } from '../spec/manifests.ts'
import { OCI_INDEX, OCI_MANIFEST } from '../spec/media-types.ts'
import { parseRepositoryName, parseTag } from '../spec/names.ts'
import { RemoteRegistry, type RemoteRegistryOptions } from './index.ts'
import { DEFAULT_LIMITS } from './limits.ts'

const stack: ScriptedServer[] = []
afterEach(async () => {
  for (const server of stack.splice(0)) await server[Symbol.asyncDispose]()
})

async function serve(script: Script): Promise<ScriptedServer> {
  const server = await ScriptedServer.start(script)
  stack.push(server)
  return server
}

const name = parseRepositoryName('team/app')
const tag = parseTag('v1')
const sha256 = (bytes: string | Uint8Array): Digest => parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
const text = async (stream: ReadableStream<Uint8Array> | undefined) => new Response(stream).text()

function remote(url: URL, options: Partial<RemoteRegistryOptions> = {}) {
  return new RemoteRegistry({ url, fetch, clock: systemClock, random: () => 0, ...options })
}

const MANIFEST = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] })

/** A registry that wants a token for each repository, handed out by its own `/token`. */
function withTokens(serveApi: Script, tokens = (_scope: string | null): object => ({ token: 't1', expires_in: 300 })): Script {
  return (request, response, seen) => {
    const url = new URL(seen.url, 'http://x')
    if (url.pathname === '/token')
      return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(tokens(url.searchParams.get('scope'))))
    if (!seen.headers.authorization?.startsWith('Bearer ')) {
      const realm = `http://${seen.headers.host}/token`
      return response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="scripted"` }).end()
    }
    return serveApi(request, response, seen)
  }
}

const manifestScript: Script = (_request, response) =>
  response.writeHead(200, { 'content-type': OCI_INDEX, 'docker-content-digest': sha256(MANIFEST), 'content-length': MANIFEST.length }).end(MANIFEST)

describe('tokens', () => {
  it('who asks first what is wanted is refused once, however much it asks at once, and one token does to look and to push', async () => {
    const asked: (string | null)[] = []
    const tokens = (scope: string | null) => {
      asked.push(scope)
      return { token: 't1', expires_in: 300 }
    }
    const push: Script = (request, response) =>
      void request
        .resume()
        .on('end', () => response.writeHead(request.method === 'POST' ? 202 : 404, { location: '/v2/team/app/blobs/uploads/1' }).end())
    const server = await serve(withTokens(push, tokens))
    const credentials = { username: 'robot', password: 'secret' }
    const repository = remote(server.url, { asksFirst: true, credentials }).with(undefined, { pushes: true }).repository(name)
    await Promise.all([...Array(4)].map(() => repository.blobs.stat(sha256('x'))))
    await Promise.all([...Array(4)].map(() => repository.uploads.begin()))
    expect(asked).toEqual(['repository:team/app:pull,push'])
    expect(server.lines[0]).toBe('GET /v2/')
    expect(server.lines).toHaveLength(10)
  })

  it('one challenge is enough: afterwards each repository costs its token and its request, and a known one its request alone', async () => {
    const server = await serve(withTokens(manifestScript))
    const registry = remote(server.url).with()
    await registry.repository(name).manifests.get({ tag })
    expect(server.lines.map((line) => line.split('?')[0])).toEqual(['GET /v2/team/app/manifests/v1', 'GET /token', 'GET /v2/team/app/manifests/v1'])
    server.seen.length = 0
    await registry.repository(name).manifests.get({ tag })
    await registry.repository(parseRepositoryName('other')).manifests.get({ tag })
    expect(server.lines).toEqual([
      'GET /v2/team/app/manifests/v1',
      'GET /token?service=scripted&scope=repository%3Aother%3Apull',
      'GET /v2/other/manifests/v1',
    ])
  })

  it('many who ask at once share one token request', async () => {
    const server = await serve(withTokens(manifestScript))
    const registry = remote(server.url)
    await registry.with().repository(parseRepositoryName('first')).manifests.get({ tag })
    server.seen.length = 0
    await Promise.all(Array.from({ length: 20 }, () => registry.with().repository(name).manifests.get({ tag })))
    expect(server.lines.filter((line) => line.startsWith('GET /token'))).toHaveLength(1)
    expect(server.lines).toHaveLength(21)
  })

  it('one who gives up does not take the token from the others', async () => {
    const held: (() => void)[] = []
    const inner = withTokens(manifestScript)
    let tokenAsked = () => {}
    const asked = new Promise<void>((resolve) => {
      tokenAsked = resolve
    })
    const server = await serve((request, response, seen) => {
      if (!seen.url.startsWith('/token')) return inner(request, response, seen)
      held.push(() => inner(request, response, seen))
      tokenAsked()
    })
    const registry = remote(server.url)
    const impatient = new AbortController()
    const first = registry.with(impatient.signal).repository(name).manifests.get({ tag })
    await asked
    const second = registry.with().repository(name).manifests.get({ tag })
    impatient.abort(new Error('gone'))
    await expect(first).rejects.toThrow('gone')
    for (const go of held) go()
    expect((await second)?.descriptor.digest).toBe(sha256(MANIFEST))
    expect(server.lines.filter((line) => line.startsWith('GET /token'))).toHaveLength(1)
  })

  it('a token is used until shortly before it expires, then another is fetched without a 401', async () => {
    const clock = new TestClock()
    const server = await serve(withTokens(manifestScript))
    const registry = remote(server.url, { clock }).with()
    await registry.repository(name).manifests.get({ tag })
    server.seen.length = 0
    clock.advance(289_000)
    await registry.repository(name).manifests.get({ tag })
    expect(server.lines).toHaveLength(1)
    clock.advance(2_000)
    await registry.repository(name).manifests.get({ tag })
    expect(server.lines.map((line) => line.split('?')[0])).toEqual(['GET /v2/team/app/manifests/v1', 'GET /token', 'GET /v2/team/app/manifests/v1'])
  })

  it('a token that is refused is replaced once, and the second refusal is DENIED', async () => {
    let issued = 0
    let accepted = 't1'
    const server = await serve(
      withTokens(
        (request, response, seen) => {
          if (seen.headers.authorization === `Bearer ${accepted}`) return manifestScript(request, response, seen)
          return response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${seen.headers.host}/token",service="scripted"` }).end()
        },
        () => ({ access_token: `t${++issued}`, expires_in: 300 }),
      ),
    )
    const registry = remote(server.url).with()
    await registry.repository(name).manifests.get({ tag })
    accepted = 't2'
    await registry.repository(name).manifests.get({ tag })
    expect(issued).toBe(2)
    accepted = 'none'
    server.seen.length = 0
    await expect(registry.repository(name).manifests.get({ tag })).rejects.toMatchObject({
      code: 'DENIED',
      message: expect.stringContaining(server.url.host),
    })
    expect(server.lines).toHaveLength(3)
  })

  it('the password is shown neither to a stranger that the registry names nor without encryption', async () => {
    const thief = await serve((_request, response) => response.end('{"token":"x"}'))
    const realm = `http://localhost:${thief.url.port}/token`
    const server = await serve((_request, response) => response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end())
    const registry = remote(server.url, { credentials: { username: 'u', password: 'secret' } }).with()
    await expect(registry.repository(name).manifests.get({ tag })).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' })
    expect(thief.seen).toEqual([])
    expect(server.lines).toHaveLength(1)
  })

  it('asks with the password for a token, and only there', async () => {
    const server = await serve(withTokens(manifestScript))
    const registry = remote(server.url, { credentials: { username: 'üser', password: 'sécret' } }).with()
    await registry.repository(name).manifests.get({ tag })
    const encoded = `Basic ${Buffer.from('üser:sécret').toString('base64')}`
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual([undefined, encoded, 'Bearer t1'])
  })

  it('meets a basic challenge once, and sends the password unasked from then on', async () => {
    const server = await serve((request, response, seen) =>
      seen.headers.authorization ? manifestScript(request, response, seen) : response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end(),
    )
    const registry = remote(server.url, { credentials: { username: 'u', password: 'p' } }).with()
    await registry.repository(name).manifests.get({ tag })
    await registry.repository(name).manifests.get({ tag })
    expect(server.lines).toHaveLength(3)
  })

  it.each(['', 'a b', 'x\ny', 'é', 17, null, 'a'.repeat(20_000)])('refuses a token that could not be sent: %j', async (token) => {
    const server = await serve(withTokens(manifestScript, () => ({ token })))
    await expect(remote(server.url).with().repository(name).manifests.get({ tag })).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' })
  })
})

describe('redirects', () => {
  const blob = 'some bytes of a layer'

  it('a blob elsewhere is fetched without our credentials, and with the range that was asked', async () => {
    const storage = await serve((_request, response, seen) => {
      if (seen.headers.range)
        return response.writeHead(206, { 'content-range': `bytes 5-9/${blob.length}`, 'content-length': 5 }).end(blob.slice(5, 10))
      return response.writeHead(200, { 'content-length': blob.length }).end(blob)
    })
    const server = await serve(withTokens((_request, response) => response.writeHead(307, { location: `${storage.url}signed?x=1` }).end()))
    const repository = remote(server.url).with().repository(name)
    expect(await text((await repository.blobs.open(sha256(blob)))?.stream)).toBe(blob)
    expect(await text((await repository.blobs.open(sha256(blob), { offset: 5, length: 5 }))?.stream)).toBe('bytes')
    expect(storage.seen).toHaveLength(2)
    for (const { headers } of storage.seen) {
      expect(headers.authorization).toBeUndefined()
      expect(headers.cookie).toBeUndefined()
    }
  })

  it('an authorizer is asked for each hop on the registry, and for none after the first elsewhere', async () => {
    const asked: string[] = []
    let origin = ''
    const storage = await serve((_request, response) => response.writeHead(302, { location: `${origin}/third` }).end())
    const server = await serve((_request, response, seen) => {
      if (seen.url === '/third') return response.writeHead(200, { 'content-length': 1 }).end('x')
      return response.writeHead(302, { location: seen.url === '/second' ? storage.url.href : '/second' }).end()
    })
    origin = server.url.origin
    const authorizer = {
      headers: async ({ method, url }: { method: string; url: URL }) => {
        asked.push(`${method} ${url.pathname}`)
        return { Authorization: 'Signature s', 'X-Signed': 'yes' }
      },
    }
    await (await remote(server.url, { authorizer }).with().repository(name).blobs.open(sha256('x')))?.stream?.cancel()
    expect(asked).toEqual([`GET /v2/team/app/blobs/${sha256('x')}`, 'GET /second'])
    expect(server.seen.at(-1)?.url).toBe('/third')
    expect(server.seen.at(-1)?.headers['x-signed']).toBeUndefined()
    expect(storage.seen[0]?.headers.authorization).toBeUndefined()
  })

  it.each([
    'ftp://x/',
    'http://',
    'http://u:p@127.0.0.1/',
    '/loop',
    'file:///etc/passwd',
    'http://169.254.169.254/latest',
    'http://2852039166/',
    'http://[::ffff:169.254.169.254]/',
    'http://metadata.google.internal/',
    'http://[fe80::1]/',
  ])('%s is not followed for ever, or at all', async (location) => {
    const server = await serve((_request, response) => response.writeHead(302, { location }).end())
    await expect(remote(server.url).with().repository(name).blobs.open(sha256('x'))).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' })
    expect(server.seen.length).toBeLessThanOrEqual(6)
  })

  it('what somebody elsewhere says of a failure is not told to our clients, and what the registry says is', async () => {
    const words = JSON.stringify({ errors: [{ code: 'DENIED', message: 'the inner words' }] })
    const storage = await serve((_request, response) => response.writeHead(403, { 'content-type': 'application/json' }).end(words))
    const server = await serve((_request, response, seen) =>
      seen.url.includes('/manifests/') ? response.writeHead(403).end(words) : response.writeHead(307, { location: storage.url.href }).end(),
    )
    const { blobs, manifests } = remote(server.url).with().repository(name)
    const elsewhere = await blobs.open(sha256(blob)).catch((error: unknown) => error)
    expect(elsewhere).toMatchObject({ code: 'DENIED' })
    expect(String(elsewhere)).not.toContain('inner')
    await expect(manifests.get({ tag })).rejects.toMatchObject({ code: 'DENIED', message: expect.stringContaining('the inner words') })
  })

  it('what is sent as a stream is not sent elsewhere, and says so', async () => {
    const server = await serve((request, response) => {
      request.resume()
      const status = request.method === 'POST' ? 202 : 307
      request.on('end', () => response.writeHead(status, { location: '/v2/team/app/blobs/uploads/1' }).end())
    })
    const { uploads } = remote(server.url).with().repository(name)
    const { id } = await uploads.begin()
    await expect(uploads.append(id, new Blob([blob]).stream())).rejects.toMatchObject({
      code: 'UPSTREAM_INVALID',
      message: expect.stringContaining('redirects a PATCH'),
    })
    expect(server.lines).toHaveLength(2)
  })

  describe('a blob in one request', () => {
    const small = new TextEncoder().encode('small')
    const digest = sha256(small)
    const single = `POST /v2/team/app/blobs/uploads/?digest=${encodeURIComponent(digest)}`

    it('is there when the registry says so', async () => {
      let body = ''
      const server = await serve(async (request, response) => {
        for await (const chunk of request) body += chunk
        response.writeHead(201, { location: `/v2/team/app/blobs/${digest}` }).end()
      })
      expect(await remote(server.url).with().repository(name).uploads.atOnce?.(digest, small)).toBeUndefined()
      expect(server.lines).toEqual([single])
      expect(server.seen[0]?.headers['content-length']).toBe('5')
      expect(body).toBe('small')
    })

    it.each([
      ['opens an upload instead', 202, [single]],
      ['refuses it', 405, [single, 'POST /v2/team/app/blobs/uploads/']],
    ])('is an upload where the registry %s, and for an hour is not tried again', async (_what, status, first) => {
      const clock = new TestClock()
      const server = await serve((request, response, { url }) => {
        request
          .resume()
          .on('end', () => response.writeHead(url.includes('digest') ? status : 202, { location: '/v2/team/app/blobs/uploads/1' }).end())
      })
      const { uploads } = remote(server.url, { clock }).with().repository(name)
      expect(await uploads.atOnce?.(digest, small)).toMatchObject({ size: 0 })
      expect(server.lines).toEqual(first)
      server.seen.length = 0
      expect(await uploads.atOnce?.(digest, small)).toMatchObject({ size: 0 })
      expect(server.lines).toEqual(['POST /v2/team/app/blobs/uploads/'])
      clock.advance(DEFAULT_LIMITS.sessionsOnlyMs)
      server.seen.length = 0
      await uploads.atOnce?.(digest, small)
      expect(server.lines[0]).toBe(single)
    })

    it.each([
      [403, 'DENIED'],
      [503, 'UNAVAILABLE'],
    ])('fails with HTTP %i, which says nothing of its form', async (status, code) => {
      const server = await serve((request, response) => void request.resume().on('end', () => response.writeHead(status).end()))
      const { uploads } = remote(server.url, { limits: { attempts: 1 } })
        .with()
        .repository(name)
      for (const _ of [1, 2]) await expect(uploads.atOnce?.(digest, small)).rejects.toMatchObject({ code })
      expect(server.lines).toEqual([single, single])
    })
  })

  it('https never leads to http', async () => {
    const asked: string[] = []
    const registry = new RemoteRegistry({
      url: new URL('https://registry.example'),
      clock: systemClock,
      fetch: async (url) => {
        asked.push(url.href)
        return new Response(null, { status: 302, headers: { location: 'http://registry.example/blob' } })
      },
    })
    await expect(registry.with().repository(name).blobs.open(sha256('x'))).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' })
    expect(asked).toHaveLength(1)
  })
})

describe('failures', () => {
  it.each([
    [401, 'DENIED'],
    [403, 'DENIED'],
    [429, 'TOOMANYREQUESTS'],
    [500, 'UNAVAILABLE'],
    [503, 'UNAVAILABLE'],
    [418, 'UPSTREAM_INVALID'],
    [204, 'UPSTREAM_INVALID'],
  ])('HTTP %i is %s, naming the upstream and no secret', async (status, code) => {
    const body = JSON.stringify({ errors: [{ code: 'X', message: 'you sent Bearer abc.def and Basic c2VjcmV0\r\nSet-Cookie: a' }] })
    const server = await serve((_request, response) => response.writeHead(status, { 'retry-after': '3600' }).end(status === 204 ? undefined : body))
    const error = await remote(server.url)
      .with()
      .repository(name)
      .manifests.get({ tag })
      .catch((e: unknown) => e)
    expect(error).toMatchObject({ code, message: expect.stringContaining(server.url.host) })
    expect(JSON.stringify(error)).not.toMatch(/abc\.def|c2VjcmV0|\\r|\\n/)
    if (status === 429) expect(error).toMatchObject({ headers: { 'Retry-After': '3600' } })
    expect(server.seen).toHaveLength(1)
  })

  it('404 is absence', async () => {
    const server = await serve((_request, response) => response.writeHead(404).end())
    const repository = remote(server.url).with().repository(name)
    expect(await repository.manifests.get({ tag })).toBeUndefined()
    expect(await repository.manifests.stat({ tag })).toBeUndefined()
    expect(await repository.blobs.stat(sha256('x'))).toBeUndefined()
    expect(await repository.blobs.open(sha256('x'))).toBeUndefined()
    expect(await repository.tags.list({ limit: 10 })).toBeUndefined()
    expect(await repository.referrers.list(sha256('x'), { page: { limit: 10 } })).toEqual({ items: [], more: false })
    expect(await repository.blobs.delete(sha256('x'))).toBe(false)
  })

  it('what may be repeated is: after 500 and 429, as long as Retry-After says', async () => {
    const clock = new TestClock()
    const answers = [500, 429, 200]
    const server = await serve((request, response, seen) => {
      const status = answers.shift()
      if (status === 200) return manifestScript(request, response, seen)
      return response.writeHead(status ?? 500, status === 429 ? { 'retry-after': '7' } : {}).end()
    })
    const answer = remote(server.url, { clock, random: () => 0.5 })
      .with()
      .repository(name)
      .manifests.get({ tag })
    await clock.waitedFor(125)
    clock.advance(125)
    await clock.waitedFor(7_000)
    expect(server.seen).toHaveLength(2)
    clock.advance(7_000)
    expect((await answer)?.descriptor.digest).toBe(sha256(MANIFEST))
  })

  it('a host that is not there is UNAVAILABLE after the last attempt', async () => {
    let attempts = 0
    const registry = new RemoteRegistry({
      url: new URL('http://127.0.0.1:1'),
      clock: systemClock,
      random: () => 0,
      fetch: (url, init) => {
        attempts++
        return fetch(url, init)
      },
    })
    await expect(registry.with().repository(name).manifests.get({ tag })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(attempts).toBe(3)
  })

  it('no answer in time is UNAVAILABLE', async () => {
    const clock = new TestClock()
    const server = await serve(() => {})
    const answer = remote(server.url, { clock, limits: { attempts: 1 } })
      .with()
      .repository(name)
      .manifests.get({ tag })
    const outcome = expect(answer).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('did not answer in time') })
    await clock.waitedFor(15_000)
    clock.advance(15_000)
    await outcome
  })

  it('a blob that stops in the middle fails after the stall time, and nothing fails while bytes come', async () => {
    const clock = new TestClock()
    let more = (_part: string) => {}
    const server = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': 9 })
      more = (part) => response.write(part)
      response.write('abc')
    })
    const body = await remote(server.url, { clock }).with().repository(name).blobs.open(sha256('abcdefghi'))
    const reader = body?.stream?.getReader()
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('abc')
    const second = reader?.read()
    await new Promise(setImmediate)
    clock.advance(29_999)
    more('def')
    expect(Buffer.from((await second)?.value ?? []).toString()).toBe('def')
    const third = reader?.read()
    await new Promise(setImmediate)
    clock.advance(30_000)
    await expect(third).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('stopped sending') })
  })

  it('the caller who leaves ends the request, also in the middle of a stream', async () => {
    let closed = () => {}
    const gone = new Promise<void>((resolve) => {
      closed = resolve
    })
    const server = await serve((_request, response) => {
      response.on('close', closed)
      response.writeHead(200, { 'content-length': 9 }).write('abc')
    })
    const caller = new AbortController()
    const body = await remote(server.url).with(caller.signal).repository(name).blobs.open(sha256('abcdefghi'))
    const reader = body?.stream?.getReader()
    await reader?.read()
    caller.abort(new Error('left'))
    await expect(reader?.read()).rejects.toThrow('left')
    await gone
  })
})

describe('lies', () => {
  it('a manifest that does not hash to what is meant is refused', async () => {
    const server = await serve((_request, response) =>
      response.writeHead(200, { 'content-type': OCI_MANIFEST, 'docker-content-digest': sha256('other') }).end(MANIFEST),
    )
    const { manifests } = remote(server.url).with().repository(name)
    await expect(manifests.get({ tag })).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' })
    await expect(manifests.get({ digest: sha256('other') })).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' })
    expect((await manifests.get({ digest: sha256(MANIFEST) }))?.bytes.byteLength).toBe(MANIFEST.length)
  })

  it('a manifest is read only as far as a manifest may go', async () => {
    let sent = 0
    const server = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': OCI_MANIFEST })
      const chunk = Buffer.alloc(256 * 1024, ' ')
      const push = () => {
        while (!response.destroyed && sent < 1024 * 1024 * 1024) {
          sent += chunk.byteLength
          if (!response.write(chunk)) return response.once('drain', push)
        }
      }
      push()
    })
    await expect(remote(server.url).with().repository(name).manifests.get({ tag })).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' })
    expect(sent).toBeLessThan(MANIFEST_LIMIT * 8)
  })

  it('a registry that says too little in its head is asked for the manifest', async () => {
    const server = await serve((request, response) => {
      response.writeHead(200, { 'content-type': OCI_INDEX, ...(request.method === 'GET' && { 'content-length': MANIFEST.length }) })
      response.end(request.method === 'GET' ? MANIFEST : undefined)
    })
    const head = await remote(server.url).with().repository(name).manifests.stat({ tag })
    expect(head?.descriptor).toEqual({ mediaType: OCI_INDEX, digest: sha256(MANIFEST), size: MANIFEST.length })
  })

  it('a range that the registry does not know is cut out of the whole', async () => {
    const server = await serve((_request, response) => response.writeHead(200, { 'content-length': 10 }).end('0123456789'))
    const { blobs } = remote(server.url).with().repository(name)
    const body = await blobs.open(sha256('0123456789'), { offset: 3, length: 4 })
    expect(body).toMatchObject({ size: 10, range: { offset: 3, length: 4 } })
    expect(await text(body?.stream)).toBe('3456')
    expect(await text((await blobs.open(sha256('0123456789'), { offset: 6, length: 4 }))?.stream)).toBe('6789')
  })

  it('another range than asked, half a body, and a blob with the wrong bytes fail', async () => {
    const server = await serve((_request, response, seen) => {
      if (seen.headers.range) return response.writeHead(206, { 'content-range': 'bytes 0-3/10' }).end('0123')
      response.writeHead(200, { 'content-length': 10 }).write('01234')
      setImmediate(() => response.destroy())
    })
    const { blobs } = remote(server.url, { createHasher }).with().repository(name)
    await expect(blobs.open(sha256('x'), { offset: 1, length: 4 })).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' })
    await expect(text((await blobs.open(sha256('x')))?.stream)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    server.script = (_request, response) => response.writeHead(200, { 'content-length': 10 }).end('0123456789')
    await expect(text((await blobs.open(sha256('x')))?.stream)).rejects.toMatchObject({ code: 'UPSTREAM_INVALID' })
    expect(await text((await blobs.open(sha256('0123456789')))?.stream)).toBe('0123456789')
  })
})

describe('lists', () => {
  it('tags come in pages by keyset, whatever the registry makes of n and last', async () => {
    const server = await serve((_request, response) => response.end(JSON.stringify({ name, tags: ['b', 'a', '../x', 7, 'd', 'c'] })))
    const { tags } = remote(server.url).with().repository(name)
    expect(await tags.list({ limit: 3 })).toEqual({ items: ['a', 'b', 'c'], more: true })
    expect(await tags.list({ limit: 3, last: 'c' })).toEqual({ items: ['d'], more: false })
    server.script = (_request, response) => response.writeHead(200, { link: '</v2/team/app/tags/list?n=1&last=a>; rel="next"' }).end('{"tags":["a"]}')
    expect(await tags.list({ limit: 1 })).toEqual({ items: ['a'], more: true })
    server.script = (_request, response) => response.end('{"tags":null}')
    expect(await tags.list({ limit: 1 })).toEqual({ items: [], more: false })
  })

  it('referrers are found by the API, and under the fallback tag where there is none', async () => {
    const subject = sha256('subject')
    const entry = (content: string, artifactType: string) => ({ mediaType: OCI_MANIFEST, digest: sha256(content), size: 3, artifactType })
    const index = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [entry('one', 'sbom'), entry('two', 'signature')] })
    const found = await serve((_request, response) => response.writeHead(200, { 'content-type': OCI_INDEX }).end(index))
    const fallback = await serve((_request, response, seen) =>
      seen.url.includes('/referrers/') ? response.writeHead(404).end() : response.writeHead(200, { 'content-type': OCI_INDEX }).end(index),
    )
    for (const server of [found, fallback]) {
      const { referrers } = remote(server.url).with().repository(name)
      const all = await referrers.list(subject, { page: { limit: 10 } })
      expect(all.items.map(({ digest }) => digest)).toEqual([sha256('one'), sha256('two')].sort())
      expect((await referrers.list(subject, { artifactType: 'sbom', page: { limit: 10 } })).items.map(({ digest }) => digest)).toEqual([
        sha256('one'),
      ])
    }
    expect(fallback.lines[1]).toBe(`GET /v2/team/app/manifests/sha256-${subject.slice(7)}`)
  })

  it('rate limits are observed', async () => {
    const observed: unknown[] = []
    const server = await serve((request, response, seen) => {
      response.setHeader('ratelimit-limit', '100;w=21600')
      response.setHeader('ratelimit-remaining', '76;w=21600')
      return manifestScript(request, response, seen)
    })
    await remote(server.url, { onRateLimit: (limit) => observed.push(limit) })
      .with()
      .repository(name)
      .manifests.stat({ tag })
    expect(observed).toEqual([{ limit: 100, remaining: 76, windowSeconds: 21600 }])
  })
})
