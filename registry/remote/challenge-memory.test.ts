import { afterEach, describe, expect, it } from 'vitest'
import { type Script, ScriptedServer } from '../../test/support/scripted-server.ts'
import { systemClock } from '../clock.ts'
import { parseRepositoryName, parseTag } from '../spec/names.ts'
import type { ChallengeMemory, LearnedChallenge } from './challenge-authorizer.ts'
import { RemoteRegistry } from './index.ts'

const app = parseRepositoryName('team/app')
const tag = parseTag('v1')
const servers: ScriptedServer[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]()
})

/** Wants a token of its own `/token` for everything, and has nothing. */
const wantsTokens: Script = (_request, response, { url, headers }) => {
  if (url.startsWith('/token')) return response.writeHead(200, { 'content-type': 'application/json' }).end('{"token":"t1","expires_in":300}')
  if (headers.authorization === 'Bearer t1') return response.writeHead(404).end()
  return response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${headers.host}/token",service="scripted"` }).end()
}

async function serve(script: Script): Promise<ScriptedServer> {
  const server = await ScriptedServer.start(script)
  servers.push(server)
  return server
}

class Memory implements ChallengeMemory {
  kept: LearnedChallenge | undefined
  saved = 0
  load = async () => this.kept
  save(learned: LearnedChallenge): void {
    this.saved++
    this.kept = learned
  }
}

const credentials = { username: 'u', password: 'secret' }
const opened = (server: ScriptedServer, challengeMemory: ChallengeMemory, options: { credentials?: typeof credentials } = {}) =>
  new RemoteRegistry({ url: server.url, fetch, clock: systemClock, random: () => 0, challengeMemory, limits: { attempts: 1 }, ...options })
const paths = (server: ScriptedServer) => server.lines.map((line) => line.split('?')[0])

describe('what a registry asks for, kept over a restart', () => {
  it('lets the very first request carry its token', async () => {
    const server = await serve(wantsTokens)
    const memory = new Memory()
    await opened(server, memory).with().repository(app).manifests.get({ tag })
    expect(memory.kept).toEqual({ scheme: 'bearer', realm: `${server.url.origin}/token`, service: 'scripted' })
    server.seen.length = 0
    await opened(server, memory).with().repository(app).manifests.get({ tag })
    expect(paths(server)).toEqual(['GET /token', 'GET /v2/team/app/manifests/v1'])
    expect(memory.saved).toBe(1)
  })

  it('is asked for again when the token service has moved', async () => {
    const server = await serve(wantsTokens)
    const memory = new Memory()
    const gone = await serve((_request, response) => response.writeHead(410).end())
    memory.kept = { scheme: 'bearer', realm: `${gone.url.origin}/token`, service: 'scripted' }
    await opened(server, memory).with().repository(app).manifests.get({ tag })
    expect(paths(server)).toEqual(['GET /v2/team/app/manifests/v1', 'GET /token', 'GET /v2/team/app/manifests/v1'])
    expect(memory.kept).toMatchObject({ realm: `${server.url.origin}/token` })
  })

  it('shows the password to no stranger, whatever was written there', async () => {
    const server = await serve(wantsTokens)
    const thief = await serve(wantsTokens)
    const memory = new Memory()
    memory.kept = { scheme: 'bearer', realm: `http://localhost:${thief.url.port}/token` }
    await opened(server, memory, { credentials }).with().repository(app).manifests.get({ tag })
    expect(thief.seen).toEqual([])
  })

  it('sends the password unasked where that is what it takes', async () => {
    const server = await serve((_request, response, { headers }) =>
      headers.authorization ? response.writeHead(404).end() : response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end(),
    )
    const memory = new Memory()
    await opened(server, memory, { credentials }).with().repository(app).manifests.get({ tag })
    await opened(server, memory, { credentials }).with().repository(app).manifests.get({ tag })
    expect(server.lines).toHaveLength(3)
  })

  it('is learned ahead of the first request, and not again', async () => {
    const server = await serve(wantsTokens)
    const memory = new Memory()
    const registry = opened(server, memory)
    await registry.acquaint()
    await registry.acquaint()
    expect(paths(server)).toEqual(['GET /v2/'])
    await opened(server, memory).acquaint()
    expect(paths(server)).toEqual(['GET /v2/'])
    await registry.with().repository(app).manifests.get({ tag })
    expect(paths(server)).toEqual(['GET /v2/', 'GET /token', 'GET /v2/team/app/manifests/v1'])
  })
})
