import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { randomImage, type TestImage } from '../support/images.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream/upstream.ts'
import { TestEdge, TestOrigin, tokenOf } from './support.ts'
import { bundleWorker, TestWorker } from './worker-support.ts'

const upstream = await startUpstream()

const sentence = async (response: Response) => ((await response.json()) as { errors: { message: string }[] }).errors[0]?.message

describe.skipIf(upstream === undefined).each([
  ['Node', async (origin: TestOrigin) => await TestEdge.start(origin)],
  ['a Worker', async (origin: TestOrigin) => await TestWorker.start(origin, await bundleWorker())],
])('an edge in %s that stands for other registries', (kind, start) => {
  const own = (name: string) => `${name}-${kind === 'Node' ? 'node' : 'worker'}`
  const hub = upstream as Upstream
  let origin: TestOrigin
  let edge: TestEdge | TestWorker

  beforeAll(async () => {
    origin = await TestOrigin.start()
    // Those that a new site begins with stand for the real Docker Hub.
    await rules('dockerhub-proxy', 'mirror', { enabled: false })
    const proxy = async (name: string, isPublic: boolean, mirror: object) => {
      const made = await origin.api('POST', '/api/v2.0/registries', { name, type: 'docker-hub', url: hub.url.origin, insecure: true })
      const id = Number(made.headers.get('location')?.split('/').at(-1))
      await origin.api('POST', '/api/v2.0/projects', { project_name: name, public: isPublic, registry_id: id })
      await rules(name, 'mirror', mirror)
    }
    await proxy('hub', true, {})
    await proxy('inner', false, { hosts: ['registry.corp.example:5000'] })
    await proxy('first', false, { hosts: ['shared.corp.example'] })
    await proxy('second', false, { hosts: ['shared.corp.example'] })
    edge = await start(origin)
  })
  afterEach(async () => {
    for (const name of ['upstream-rules', 'warming']) await origin.api('DELETE', `/api/atoll/v1/projects/hub/${name}`)
  })
  afterAll(async () => {
    await edge?.[Symbol.asyncDispose]()
    await origin?.[Symbol.asyncDispose]()
  })

  const rules = async (project: string, name: string, body: object) => await origin.api('PUT', `/api/atoll/v1/projects/${project}/${name}`, body)
  const pushed = async (repository: string, created?: string): Promise<TestImage> => {
    const image = randomImage({ layers: [10_000], ...(created !== undefined && { created }) })
    await hub.push(repository, image, 'v1')
    return image
  }
  const becomes = async (path: string, status: number) => {
    await until(`${path} answers ${status}`, async () => (await edge.get(path)).status === status)
    return await edge.get(path)
  }

  it('answers ?ns= from the proxy cache of that registry, by the path as given', async () => {
    const image = await pushed(own('library/named'))
    for (const ns of ['docker.io', 'registry-1.docker.io', 'index.docker.io']) {
      const manifest = await edge.get(`/v2/${own('library/named')}/manifests/v1?ns=${ns}`)
      expect([ns, manifest.status, manifest.headers.get('docker-content-digest')]).toEqual([ns, 200, image.manifest.digest])
    }
    const blob = await edge.get(`/v2/${own('library/named')}/blobs/${image.layers[0]?.digest}?ns=docker.io`)
    expect((await blob.arrayBuffer()).byteLength).toBe(10_000)
  })

  it('says clearly that nothing stands for a registry', async () => {
    const answer = await edge.get('/v2/library/named/manifests/v1?ns=ghcr.io')
    expect([answer.status, await sentence(answer)]).toEqual([404, expect.stringContaining('No project here stands for ghcr.io')])
  })

  it('gives what a private project stands for to those who may pull there, by a token that the challenge asks for', async () => {
    const name = own('team/secret')
    const image = await pushed(name)
    const path = `/v2/${name}/manifests/v1?ns=registry.corp.example:5000`
    const refused = await edge.get(path)
    expect(refused.status).toBe(401)
    const scope = /scope="([^"]+)"/.exec(refused.headers.get('www-authenticate') ?? '')?.[1] ?? ''
    expect(scope).toBe(`repository:inner/${name}:pull`)
    const robot = await origin.robot(own('reader'), 'inner')
    const allowed = await edge.get(path, await tokenOf(await edge.token(scope, robot)))
    expect([allowed.status, allowed.headers.get('docker-content-digest')]).toEqual([200, image.manifest.digest])
    const stranger = await origin.robot(own('stranger'), 'library')
    expect((await edge.get(path, await tokenOf(await edge.token(scope, stranger)))).status).toBeGreaterThanOrEqual(401)
  })

  it('serves whoever may not read in the first project that stands for a registry from the next one', async () => {
    const name = own('team/shared')
    const image = await pushed(name)
    const path = `/v2/${name}/manifests/v1?ns=shared.corp.example`
    const scope = /scope="([^"]+)"/.exec((await edge.get(path)).headers.get('www-authenticate') ?? '')?.[1] ?? ''
    expect(scope.split(' ').toSorted()).toEqual([`repository:first/${name}:pull`, `repository:second/${name}:pull`])
    for (const project of ['first', 'second']) {
      const token = await tokenOf(await edge.token(scope, await origin.robot(own(`of-${project}`), project)))
      const allowed = await edge.get(path, token)
      expect([project, allowed.status, allowed.headers.get('docker-content-digest')]).toEqual([project, 200, image.manifest.digest])
    }
    const stranger = await tokenOf(await edge.token(scope, await origin.robot(own('of-none'), 'library')))
    expect((await edge.get(path, stranger)).status).toBe(403)
  })

  it('holds to the rules of the project, and says which one refused', async () => {
    const name = own('library/ruled')
    const image = await pushed(name, '2020-01-01T00:00:00Z')
    const path = `/v2/hub/${name}/manifests/v1`
    expect((await edge.get(path)).status).toBe(200)
    await rules('hub', 'upstream-rules', { deny: [`${own('library/r*')}:v*`] })
    expect(await sentence(await becomes(path, 403))).toBe(
      `hub does not serve ${name}:v1: it is denied (rule of the project: deny ${own('library/r*')}:v*).`,
    )
    expect((await edge.get(`/v2/hub/${name}/manifests/${image.manifest.digest}`)).status).toBe(200)
    await rules('hub', 'upstream-rules', { allow: ['other/**'] })
    await becomes(`/v2/hub/${name}/blobs/${image.layers[0]?.digest}`, 403)
    expect((await edge.get(`/v2/${name}/manifests/v1?ns=docker.io`)).status).toBe(403)
    await origin.api('DELETE', '/api/atoll/v1/projects/hub/upstream-rules')
    await becomes(path, 200)
  })

  it('holds back what is too young, unless its digest is exempt, at the edge and at the origin', async () => {
    const [old, young] = [own('library/old'), own('library/young')]
    await pushed(old, '2020-01-01T00:00:00Z')
    const image = await pushed(young, new Date(Date.now() - 2 * 86_400_000).toISOString())
    await rules('hub', 'upstream-rules', { minimum_age_days: 7 })
    const refused = await becomes(`/v2/hub/${young}/manifests/v1`, 403)
    expect(await sentence(refused)).toBe(
      `hub does not serve ${young}@${image.manifest.digest}: it was created 2 days ago (rule of the project: minimum age of 7 days).`,
    )
    expect((await edge.get(`/v2/hub/${young}/manifests/${image.manifest.digest}`)).status).toBe(403)
    expect((await edge.get(`/v2/hub/${old}/manifests/v1`)).status).toBe(200)
    expect((await fetch(`${origin.url}/v2/hub/${young}/manifests/v1`)).status).toBe(403)
    await rules('hub', 'upstream-rules', { minimum_age_days: 7, exempt: [image.manifest.digest] })
    await becomes(`/v2/hub/${young}/manifests/v1`, 200)
    expect((await fetch(`${origin.url}/v2/hub/${young}/manifests/v1`)).status).toBe(200)
  })
})

describe.skipIf(upstream === undefined).each([
  ['Node', async (origin: TestOrigin) => await TestEdge.start(origin, { settings: { 'edge.mirror.project': 'up' } })],
  ['a Worker', async (origin: TestOrigin) => await TestWorker.start(origin, await bundleWorker(), { bindings: { MIRROR_PROJECT: 'up' } })],
])('an edge in %s that stands for Docker Hub, and loses its origin', (kind, start) => {
  const hub = upstream as Upstream
  const own = (name: string) => `${name}-${kind === 'Node' ? 'node' : 'worker'}`

  it('fetches nothing from Docker Hub that may be a project of its site', async () => {
    const origin = await TestOrigin.start()
    try {
      const made = await origin.api('POST', '/api/v2.0/registries', { name: 'up', type: 'docker-hub', url: hub.url.origin, insecure: true })
      await origin.api('POST', '/api/v2.0/projects', {
        project_name: 'up',
        public: true,
        registry_id: Number(made.headers.get('location')?.split('/').at(-1)),
      })
      await origin.api('PUT', '/api/atoll/v1/projects/dockerhub-proxy/mirror', { enabled: false })
      await origin.project(own('closed'), { public: false })
      await origin.project(own('open'), { public: true })
      for (const name of ['closed/app', 'open/app', 'vendor/tool', 'vendor/other', 'never/seen', 'library/base']) {
        const [project, image] = name.split('/')
        await hub.push(`${name.startsWith('library') ? 'library' : own(project as string)}/${image}`, randomImage({ layers: [1_000] }), 'v1')
      }
      await using edge = await start(origin)
      const status = async (repository: string, query = '') => (await edge.get(`/v2/${repository}/manifests/v1${query}`)).status
      // While the origin is there it says which of them are projects of the site.
      expect(await status(`${own('vendor')}/tool`)).toBe(200)
      expect(await status(`${own('vendor')}/tool`, '?ns=docker.io')).toBe(200)
      await origin.running.close()
      await edge.disconnected()
      for (const name of ['closed', 'open', 'never']) {
        const answer = await edge.get(`/v2/${own(name)}/${name === 'never' ? 'seen' : 'app'}/manifests/v1`)
        expect([name, answer.status, answer.headers.get('retry-after'), await sentence(answer)]).toEqual([
          name,
          503,
          expect.any(String),
          expect.stringContaining(`cannot learn now whether ${own(name)} is a project`),
        ])
      }
      // What the origin said is no project of the site was so when it was last heard; and who says which registry it means cannot be misunderstood.
      expect(await status(`${own('vendor')}/other`)).toBe(200)
      expect(await status(`${own('never')}/seen`, '?ns=docker.io')).toBe(200)
      expect(await status('library/base')).toBe(200)
      if (!(edge instanceof TestEdge)) return
      edge.skew = 2 * 3_600_000
      expect(await status(`${own('vendor')}/other`)).toBe(503)
      expect(await status(`${own('open')}/app`)).toBe(503)
    } finally {
      await origin[Symbol.asyncDispose]()
    }
  })
})

afterAll(async () => {
  await upstream?.close()
})
