import { createHash } from 'node:crypto'
import { onTestFinished } from 'vitest'
import { systemClock } from '../../registry/clock.ts'
import { RemoteRegistry, type RemoteRegistryOptions } from '../../registry/remote/index.ts'
import { type Digest, parseDigest } from '../../registry/spec/digests.ts'
import { OCI_INDEX } from '../../registry/spec/media-types.ts'
import { parseRepositoryName, parseTag } from '../../registry/spec/names.ts'
import { type Script, ScriptedServer } from './scripted-server.ts'

// A registry that does what a test wants, and ours in front of it.

export const name = parseRepositoryName('team/app')
export const tag = parseTag('v1')
export const sha256 = (bytes: string | Uint8Array): Digest => parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`)
export const text = async (stream: ReadableStream<Uint8Array> | undefined) => new Response(stream).text()

/** Gone with the test that asked for it. */
export async function serve(script: Script): Promise<ScriptedServer> {
  const server = await ScriptedServer.start(script)
  onTestFinished(() => server[Symbol.asyncDispose]())
  return server
}

export function remote(url: URL, options: Partial<RemoteRegistryOptions> = {}) {
  return new RemoteRegistry({ url, fetch, clock: systemClock, random: () => 0, ...options })
}

export const MANIFEST = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] })

/** A registry that wants a token for each repository, handed out by its own `/token`. */
export function withTokens(serveApi: Script, tokens = (_scope: string | null): object => ({ token: 't1', expires_in: 300 })): Script {
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

export const manifestScript: Script = (_request, response) =>
  response.writeHead(200, { 'content-type': OCI_INDEX, 'docker-content-digest': sha256(MANIFEST), 'content-length': MANIFEST.length }).end(MANIFEST)
