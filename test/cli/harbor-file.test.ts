import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { request } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AtollProcess, freePort, startAtoll } from '../support/atoll.ts'
import { Planted } from '../support/planted.ts'
import { basic } from '../support/tenant.ts'
import { requireTool } from '../support/tools.ts'
import { until } from '../support/until.ts'

const openssl = requireTool('openssl', 'apt-get install openssl')
const skopeo = requireTool('skopeo', 'apt-get install skopeo')

/** A proxy that lets those through who log in, and knows whom they asked for. */
async function startProxy(login: string): Promise<{ readonly server: Server; readonly asked: string[] }> {
  const asked: string[] = []
  const allowed = (header: string | undefined) => header === `Basic ${Buffer.from(login).toString('base64')}`
  const server = createServer((_, response) => {
    response.writeHead(400)
    response.end()
  })
  server.on('connect', ({ url = '', headers }, socket) => {
    if (!allowed(headers['proxy-authorization'])) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n')
      return
    }
    asked.push(url)
    const [host, port] = url.split(':')
    if (host !== 'upstream.example.com') {
      // What a new site asks for by itself.
      socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n')
      return
    }
    const target = connect(Number(port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      target.pipe(socket).pipe(target)
    })
    target.on('error', () => socket.destroy())
    socket.on('error', () => target.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, asked }
}

describe.skipIf(openssl === undefined)('a file with the keys that Harbor’s administrators know', () => {
  const planted = new Planted()
  const password = planted.make('the password of the file')
  const proxyPassword = planted.make('the password of the proxy')
  let folder: string
  let ca: string
  let origin: AtollProcess
  let securePort: number
  let metricPort: number
  let proxy: Awaited<ReturnType<typeof startProxy>>
  let upstream: Server

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'atoll-file-'))
    const certificate = join(folder, 'registry.crt')
    const args = [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost,IP:127.0.0.1',
    ]
    execFileSync(openssl ?? '', [...args, '-keyout', join(folder, 'registry.key'), '-out', certificate], { stdio: 'ignore' })
    ca = await readFile(certificate, 'utf8')
    proxy = await startProxy(`squid:${proxyPassword}`)
    upstream = createServer((_, response) => response.end('{}')).listen(0, '127.0.0.1')
    await once(upstream, 'listening')
    securePort = await freePort()
    metricPort = await freePort()
    const file = join(folder, 'atoll.yaml')
    await writeFile(
      file,
      `hostname: localhost
https:
  port: ${securePort}
  certificate: ${certificate}
  private_key: ${join(folder, 'registry.key')}
harbor_admin_password: ${password}
database:
  url: file:${join(folder, 'harbor.db')}
storage_service:
  kind: filesystem
log:
  level: trace
  local:
    location: ${join(folder, 'logs')}
    rotate_count: 3
    rotate_size: 4K
metric:
  enabled: true
  port: ${metricPort}
  path: /harbor-metrics
proxy:
  http_proxy: http://squid:${proxyPassword}@127.0.0.1:${(proxy.server.address() as AddressInfo).port}
  no_proxy: [127.0.0.1, localhost]
  components: [core, jobservice, trivy]
cache:
  enabled: true
  expire_hours: 24
`,
    )
    // The one thing that the environment says more strongly than the file.
    origin = await startAtoll({ role: 'origin', env: { ATOLL_CONFIG: file, ATOLL_ADMIN_PASSWORD: '', ATOLL_CACHE_ENABLED: 'false' } })
  }, 60_000)
  afterAll(async () => {
    await origin?.[Symbol.asyncDispose]()
    proxy?.server.closeAllConnections()
    proxy?.server.close()
    upstream?.close()
    await rm(folder, { recursive: true, force: true })
  })

  async function secure(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; headers: import('node:http').IncomingHttpHeaders; body: string }> {
    const headers = { authorization: basic({ username: 'admin', password }), ...(body !== undefined && { 'content-type': 'application/json' }) }
    const outgoing = request({ host: 'localhost', port: securePort, ca, method, path, headers })
    outgoing.end(body === undefined ? undefined : JSON.stringify(body))
    const [incoming] = (await once(outgoing, 'response')) as [import('node:http').IncomingMessage]
    return { status: incoming.statusCode ?? 0, headers: incoming.headers, body: await text(incoming) }
  }

  it('serves by https with its certificate, and sends everybody there who comes by http', async () => {
    const ping = await secure('GET', '/v2/')
    expect(ping.status).toBe(200)
    expect(ping.headers['strict-transport-security']).toMatch(/max-age/)
    expect((await secure('GET', '/api/v2.0/systeminfo')).body).toContain('"external_url":"https://localhost')
    for (const [method, path] of [
      ['GET', '/v2/'],
      ['PUT', '/v2/library/a/manifests/b?x=1%2F2'],
      ['POST', '/service/token'],
    ] as const) {
      const answer = await fetch(`http://${origin.origin}${path}`, { method, redirect: 'manual' })
      expect({ status: answer.status, location: answer.headers.get('location') }).toEqual({
        status: 308,
        location: `https://localhost:${securePort}${path}`,
      })
    }
    expect((await fetch(`http://${origin.origin}/livez`)).status).toBe(200)
  })

  it.skipIf(skopeo === undefined)('is one that skopeo trusts, given the certificate', async () => {
    const certificates = join(folder, 'certs.d')
    await (await import('node:fs/promises')).mkdir(certificates)
    await writeFile(join(certificates, 'ca.crt'), ca)
    const login = ['login', '--authfile', join(folder, 'auth.json'), '-u', 'admin', '--password-stdin', `localhost:${securePort}`]
    expect(execFileSync(skopeo ?? '', [...login, '--cert-dir', certificates], { input: password }).toString()).toContain('Login Succeeded')
    expect(() => execFileSync(skopeo ?? '', login, { input: password, stdio: ['pipe', 'pipe', 'pipe'] })).toThrow(/certificate/)
  })

  it('shows metrics at their own port and path', async () => {
    const page = await fetch(`http://127.0.0.1:${metricPort}/harbor-metrics`)
    expect(page.status).toBe(200)
    expect(await page.text()).toContain('# HELP')
    expect((await fetch(`http://127.0.0.1:${metricPort}/metrics`)).status).toBe(404)
  })

  it('asks the world through the proxy, as whoever the file says, and the hosts that it leaves out without it', async () => {
    const { port } = upstream.address() as AddressInfo
    const ping = (url: string) => secure('POST', '/api/v2.0/registries/ping', { type: 'docker-registry', url, insecure: true })
    expect(await ping(`http://upstream.example.com:${port}`)).toMatchObject({ status: 200 })
    expect(proxy.asked).toContain(`upstream.example.com:${port}`)
    expect((await ping(`http://127.0.0.1:${port}`)).status).toBe(200)
    expect(proxy.asked).not.toContain(`127.0.0.1:${port}`)
  })

  it('writes its log into files that take turns, none of them with a secret in it', async () => {
    const names = ['atoll.log', 'atoll.log.1', 'atoll.log.2', 'atoll.log.3']
    const read = (name: string) => readFile(join(folder, 'logs', name), 'utf8').catch(() => undefined)
    await until('there are three old ones', async () => {
      for (let n = 0; n < 5; n++) await secure('GET', `/api/v2.0/projects?q=name=~${n}`)
      return (await read('atoll.log.3')) !== undefined
    })
    expect(await read('atoll.log.4')).toBeUndefined()
    for (const name of names) {
      const lines = (await read(name)) ?? ''
      expect(lines.length).toBeLessThan(60 * 1024)
      for (const line of lines.trim().split('\n').filter(Boolean)) expect(JSON.parse(line)).toHaveProperty('time')
      expect(planted.foundIn(lines)).toEqual([])
    }
    expect(planted.foundIn(await origin.output())).toEqual([])
    expect(planted.foundIn((await secure('GET', '/api/v2.0/configurations')).body)).toEqual([])
  })
})
