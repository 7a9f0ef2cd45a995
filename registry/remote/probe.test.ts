import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, createServer as createPlainServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { createFetch } from '../../runtime/fetch.ts'
import { TestClock } from '../../test/support/clock.ts'
import { type Script, ScriptedServer } from '../../test/support/scripted-server.ts'
import { requireTool } from '../../test/support/tools.ts'
import { systemClock } from '../clock.ts'
import { parseRepositoryName } from '../spec/names.ts'
import { type ProbeOptions, probe } from './probe.ts'

const OPENSSL = requireTool('openssl', 'apt-get install openssl')

const servers: ScriptedServer[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]()
})

const credentials = { username: 'replicator', password: 'Hush-hush-1' }
const repository = parseRepositoryName('team/app')

async function serve(script: Script): Promise<URL> {
  const server = await ScriptedServer.start(script)
  servers.push(server)
  return server.url
}

const look = (url: URL, options: Partial<ProbeOptions> = {}) => probe({ url, fetch, clock: systemClock, credentials, timeMs: 5_000, ...options })

/** A registry with basic authentication that lets `allowed` through: parts of `METHOD /path`. */
const registry =
  (...allowed: string[]): Script =>
  (_request, response, { method, url, headers }) => {
    if (headers.authorization !== `Basic ${btoa('replicator:Hush-hush-1')}`)
      return response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end()
    if (url === '/v2/') return response.writeHead(200).end()
    if (!allowed.some((part) => `${method} ${url}`.startsWith(part))) return response.writeHead(403).end()
    if (method === 'POST') return response.writeHead(202, { location: '/v2/team/app/blobs/uploads/1' }).end()
    if (method === 'DELETE') return response.writeHead(204).end()
    return response.writeHead(200, { 'content-type': 'application/json' }).end('{"repositories":[],"tags":[]}')
  }

describe('a look at an endpoint tells', () => {
  it('a host that there is not', async () => {
    expect(await look(new URL('https://registry.invalid'))).toMatchObject({
      ok: false,
      step: 'DNS',
      message: expect.stringMatching(/^DNS: there is no host registry\.invalid \(E[A-Z_]+\)\.$/),
    })
  })

  it('a port where nobody listens', async () => {
    const url = await serve(() => undefined)
    await servers.pop()?.[Symbol.asyncDispose]()
    expect(await look(url)).toMatchObject({
      ok: false,
      step: 'connection',
      message: `connection: ${url.host} does not take connections (ECONNREFUSED).`,
    })
  })

  it('a port that no request goes to, and a server of another protocol', async () => {
    expect(await look(new URL('http://127.0.0.1:1'), { fetch: createFetch() })).toMatchObject({
      step: 'connection',
      message: expect.stringMatching(/^connection: no request is sent to 127\.0\.0\.1:1: /),
    })
    const server = createPlainServer((socket) => socket.end('220 mail.example.com\r\n'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    expect(await look(new URL(`http://127.0.0.1:${port}`), { fetch: createFetch() })).toMatchObject({
      step: 'answer',
      message: `answer: what answers at 127.0.0.1:${port} does not speak HTTP.`,
    })
    server.close()
  })

  it('a token service that does not take the credential, in one sentence', async () => {
    const url: URL = await serve((_request, response, { url: path }) => {
      if (path.startsWith('/v2/')) return response.writeHead(401, { 'www-authenticate': `Bearer realm="${url.origin}/token",service="r"` }).end()
      return response.writeHead(401).end()
    })
    expect(await look(url)).toMatchObject({
      step: 'login',
      message: `login: ${url.host} gives no token: it does not accept the user name or password of "replicator".`,
    })
  })

  it('a server without TLS where TLS is asked for', async () => {
    const url = await serve((_request, response) => response.writeHead(200).end())
    const result = await look(new URL(`https://${url.host}`))
    expect(result).toMatchObject({ ok: false, step: 'TLS', message: expect.stringContaining('http://') })
  })

  it.skipIf(OPENSSL === undefined)('a certificate that nobody vouches for, and none when its authority is known', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'atoll-tls-'))
    const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=registry', '-addext', 'subjectAltName=IP:127.0.0.1']
    await promisify(execFile)(OPENSSL ?? '', [...made, '-keyout', keyFile, '-out', certFile])
    const [key, cert] = await Promise.all([readFile(keyFile, 'utf8'), readFile(certFile, 'utf8')])
    await rm(folder, { recursive: true })
    const server = createTlsServer({ key, cert }, (_request, response) => response.writeHead(200).end())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}`)
    expect(await look(url, { fetch: createFetch() })).toMatchObject({
      ok: false,
      step: 'TLS',
      message: `TLS: the certificate of ${url.host} is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT); give its CA certificate, or do not verify it.`,
    })
    expect(await look(url, { fetch: createFetch({ ca: cert }) })).toMatchObject({ ok: true })
    expect(await look(url, { fetch: createFetch({ verifyTls: false }) })).toMatchObject({ ok: true })
    server.closeAllConnections()
    server.close()
  })

  it('a server that takes connections and says nothing, within its time', async () => {
    const silent = createPlainServer(() => undefined)
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as { port: number }
    const clock = new TestClock()
    const looked = look(new URL(`http://127.0.0.1:${port}`), { clock, timeMs: 3_000 })
    await clock.waitedFor(3_000)
    clock.advance(3_000)
    expect(await looked).toMatchObject({ ok: false, step: 'connection', message: `connection: 127.0.0.1:${port} gave no answer in 3 seconds.` })
    silent.close()
  })

  it('a credential that is not accepted, without repeating it', async () => {
    const url = await serve(registry())
    const result = await look(url, { credentials: { username: 'replicator', password: 'not the secret' } })
    expect(result).toMatchObject({
      ok: false,
      step: 'login',
      message: expect.stringMatching(/^login: 127\.0\.0\.1:\d+ does not accept our credentials/),
    })
    expect(JSON.stringify(result)).not.toContain('not the secret')
  })

  it('what is there and no registry', async () => {
    const url = await serve((_request, response) => response.writeHead(404).end('<html>'))
    expect(await look(url)).toMatchObject({ ok: false, step: 'answer' })
  })

  it('that a login works which may list', async () => {
    expect(await look(await serve(registry('GET /v2/_catalog')))).toEqual({
      ok: true,
      rights: { list: 'allowed', pull: 'unknown', push: 'unknown' },
      notes: [],
    })
  })

  it('that a login works which may only push to one repository', async () => {
    const url = await serve(registry('POST /v2/team/app/blobs/uploads', 'DELETE /v2/team/app/blobs/uploads'))
    expect(await look(url, { repository })).toEqual({
      ok: true,
      rights: { list: 'denied', pull: 'denied', push: 'allowed' },
      notes: [
        `login works, but the account may not list repositories at ${url.host}: rules must name those they mean.`,
        `login works, but the account may not pull from team/app at ${url.host}.`,
      ],
    })
    expect(servers[0]?.lines, 'and leaves no upload behind').toContain('DELETE /v2/team/app/blobs/uploads/1')
  })

  it('that a login works which may do nothing with the repository', async () => {
    expect(await look(await serve(registry('GET /v2/_catalog')), { repository })).toMatchObject({
      ok: false,
      step: 'rights',
      message: expect.stringMatching(/^rights: login works, but .* may neither pull from team\/app nor push to it\.$/),
    })
  })
})
