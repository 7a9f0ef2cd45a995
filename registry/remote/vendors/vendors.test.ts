import { describe, expect, it } from 'vitest'
import { ScriptedServer } from '../../../test/support/scripted-server.ts'
import { systemClock } from '../../clock.ts'
import { parseRepositoryName } from '../../spec/names.ts'
import { areRelatives } from '../challenge-authorizer.ts'
import { RemoteRegistry, vendorOf } from '../index.ts'

const credentials = { username: 'admin', password: 'secret' }

describe('Docker Hub', () => {
  const hub = vendorOf('docker-hub')
  it.each(['https://hub.docker.com', 'https://docker.io', 'https://index.docker.io/v1/', 'https://registry.hub.docker.com'])(
    '%s is where its registry is',
    (url) => {
      expect(hub.base(new URL(url)).href).toBe('https://registry-1.docker.io/')
    },
  )
  it('a stand-in at another address stays where it is', () => {
    expect(hub.base(new URL('http://127.0.0.1:5000')).href).toBe('http://127.0.0.1:5000/')
  })
  it('fills in library/', () => {
    expect(hub.repository(parseRepositoryName('nginx'))).toBe('library/nginx')
    expect(hub.repository(parseRepositoryName('team/nginx'))).toBe('team/nginx')
  })
})

describe('Harbor and Atoll', () => {
  it('make a missing project with the name and password, and leave one that is there', async () => {
    const projects = new Set<string>()
    await using server = await ScriptedServer.start((request, response, seen) => {
      if (seen.headers.authorization !== `Basic ${btoa('admin:secret')}`) return response.writeHead(401).end()
      if (request.method === 'HEAD') return response.writeHead(projects.size > 0 ? 200 : 404).end()
      projects.add('made')
      return response.writeHead(201).end()
    })
    const remote = new RemoteRegistry({ url: server.url, fetch, clock: systemClock, vendor: vendorOf('harbor'), credentials })
    await remote.prepare(parseRepositoryName('team/app'))
    await remote.prepare(parseRepositoryName('team/app'))
    const head = 'HEAD /api/v2.0/projects?project_name=team'
    expect(server.lines).toEqual([head, 'POST /api/v2.0/projects', head])
  })

  it('leave it to the push whether an account may push that may not make projects: a robot may', async () => {
    await using server = await ScriptedServer.start((request, response) => response.writeHead(request.method === 'HEAD' ? 404 : 403).end())
    const remote = new RemoteRegistry({ url: server.url, fetch, clock: systemClock, vendor: vendorOf('atoll'), credentials })
    await remote.prepare(parseRepositoryName('team/app'))
    expect(server.lines).toEqual(['HEAD /api/v2.0/projects?project_name=team', 'POST /api/v2.0/projects'])
  })

  it('say that our credentials are not accepted', async () => {
    await using server = await ScriptedServer.start((_request, response) => response.writeHead(401).end())
    const remote = new RemoteRegistry({ url: server.url, fetch, clock: systemClock, vendor: vendorOf('atoll'), credentials })
    await expect(remote.prepare(parseRepositoryName('team/app'))).rejects.toMatchObject({
      code: 'DENIED',
      message: expect.stringContaining('project team'),
    })
  })
})

describe('whose password a token service may see', () => {
  it.each([
    ['registry-1.docker.io', 'auth.docker.io', true],
    ['quay.io', 'quay.io', true],
    ['registry.gitlab.com', 'gitlab.com', true],
    ['registry.example.co.uk', 'auth.example.co.uk', true],
    ['example.co.uk', 'thief.co.uk', false],
    ['quay.io', 'thief.io', false],
    ['quay.io', 'quay.io.thief.example', false],
    ['registry-1.docker.io', 'thiefdocker.io', false],
    ['10.1.2.3', '9.1.2.3', false],
    ['10.1.2.3', '10.1.2.3', true],
    ['localhost', 'thief.localhost', false],
  ])('%s → %s: %s', (registry, service, allowed) => {
    expect(areRelatives(registry, service)).toBe(allowed)
  })
})
