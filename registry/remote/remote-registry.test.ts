import { describe, expect, it } from 'vitest'
import { createHasher } from '../../stores/hasher.ts'
import { MANIFEST, manifestScript, name, remote, serve, sha256, tag, text } from '../../test/support/scripted-registry.ts'
import { MANIFEST_LIMIT } from '../spec/manifests.ts'
import { OCI_INDEX, OCI_MANIFEST } from '../spec/media-types.ts'

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
