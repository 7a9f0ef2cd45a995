import { describe, expect, it } from 'vitest'
import { TestClock } from '../../test/support/clock.ts'
import { MANIFEST, manifestScript, name, remote, serve, sha256, tag, withTokens } from '../../test/support/scripted-registry.ts'
import type { Script } from '../../test/support/scripted-server.ts'
import { parseRepositoryName } from '../spec/names.ts'

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
