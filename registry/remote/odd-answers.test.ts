import { createHash } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { type Script, ScriptedServer } from '../../test/support/scripted-server.ts'
import { systemClock } from '../clock.ts'
import { type Digest, parseDigest } from '../spec/digests.ts'
import { OCI_INDEX } from '../spec/media-types.ts'
import { parseRepositoryName, parseTag } from '../spec/names.ts'
import { RemoteRegistry } from './index.ts'

const stack: ScriptedServer[] = []
afterEach(async () => {
  for (const server of stack.splice(0)) await server[Symbol.asyncDispose]()
})
const serve = async (script: Script) => {
  const server = await ScriptedServer.start(script)
  stack.push(server)
  return server
}
const repository = ({ url }: ScriptedServer) =>
  new RemoteRegistry({ url, fetch, clock: systemClock }).with().repository(parseRepositoryName('team/app'))
const sha256 = (text: string): Digest => parseDigest(`sha256:${createHash('sha256').update(text).digest('hex')}`)

describe('what a registry, or a proxy before it, says wrongly', () => {
  it('a blob whose address is over is asked for again at the registry, once', async () => {
    let valid = 2
    const elsewhere = await serve((_request, response, { url }) =>
      response.writeHead(url === `/${valid}` ? 200 : 403, { 'content-length': 3 }).end('abc'),
    )
    let given = 0
    const registry = await serve((_request, response) => response.writeHead(307, { location: new URL(`/${++given}`, elsewhere.url).href }).end())
    const blobs = repository(registry).blobs
    expect(await new Response((await blobs.open(sha256('abc')))?.stream).text()).toBe('abc')
    valid = 0
    given = 0
    await expect(blobs.open(sha256('abc'))).rejects.toMatchObject({ code: 'DENIED' })
    expect(given).toBe(2)
  })

  it.each(['text/html', 'application/octet-stream'])(
    'a manifest that comes as %s is of the type that it says itself, by GET and by HEAD',
    async (type) => {
      const manifest = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] })
      const headers = { 'content-type': type, 'content-length': manifest.length, 'docker-content-digest': sha256(manifest) }
      const { manifests } = repository(
        await serve(({ method }, response) => response.writeHead(200, headers).end(method === 'HEAD' ? undefined : manifest)),
      )
      const reference = { tag: parseTag('v1') }
      expect([(await manifests.get(reference))?.descriptor.mediaType, (await manifests.stat(reference))?.descriptor.mediaType]).toEqual([
        OCI_INDEX,
        OCI_INDEX,
      ])
    },
  )
})
