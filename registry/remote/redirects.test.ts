import { describe, expect, it } from 'vitest'
import { TestClock } from '../../test/support/clock.ts'
import { name, remote, serve, sha256, tag, text, withTokens } from '../../test/support/scripted-registry.ts'
import { systemClock } from '../clock.ts'
import { RemoteRegistry } from './index.ts'
import { DEFAULT_LIMITS } from './limits.ts'

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
