import { gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { OCI_CONFIG } from '../../registry/spec/media-types.ts'
import { TestRepository } from '../testing/artifacts.ts'
import { CONTRACT_PRESENT, Contract } from '../testing/contract.ts'
import { openTestOrigin, type TestOrigin } from '../testing/origin.ts'

const R = '/projects/{project_name}/repositories/{repository_name}/artifacts'
const A = `${R}/{reference}`
const HELM_CONFIG = 'application/vnd.cncf.helm.config.v1+json'
const HELM_LAYER = 'application/vnd.cncf.helm.chart.content.v1.tar+gzip'
const CONFIG = {
  architecture: 'arm64',
  os: 'linux',
  created: '2026-01-02T03:04:05Z',
  config: { Cmd: ['sh'] },
  history: [{ created_by: 'COPY . .' }],
}

type Shown = Record<string, unknown> & { id: number; digest: string }

describe.skipIf(!CONTRACT_PRESENT)('artifacts keep to the contract', () => {
  let origin: TestOrigin
  let ask: Contract['ask']
  let team: number
  let app: TestRepository

  beforeAll(async () => {
    origin = await openTestOrigin()
    ask = new Contract(origin).ask
    team = (await ask('POST /projects', '/projects', 201, { project_name: 'team' })).id
    await ask('POST /projects', '/projects', 201, { project_name: 'other' })
    app = new TestRepository(origin, 'team/web/app')
  })
  afterAll(async () => {
    await origin.close()
  })

  const at = (repository: string, rest = '') => `/projects/team/repositories/${encodeURIComponent(encodeURIComponent(repository))}/artifacts${rest}`

  test('an index, its children, what signs it, and how it was built', async () => {
    const arm = await app.image('arm', CONFIG)
    const amd = await app.image('amd', { ...CONFIG, architecture: 'amd64' })
    const index = await app.index(
      [
        { ...arm, platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } },
        { ...amd, platform: { os: 'linux', architecture: 'amd64' }, annotations: { note: 'fast' } },
      ],
      'v1',
      'latest',
    )
    const empty = await app.blob('{}', 'application/vnd.oci.empty.v1+json')
    const signature = await app.artifact({
      artifactType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
      config: empty,
      layers: [empty],
      subject: index,
    })
    // Cosign of old names its subject by a tag.
    await app.image('a signature', CONFIG, `${index.digest.replace(':', '-')}.sig`)

    const list = await ask(`GET ${R}`, at('web/app', '?with_tag=true&with_label=true&with_accessory=true&with_immutable_status=true'), 200)
    expect(list.headers.get('X-Total-Count')).toBe('1')
    const [shown] = list.body as [Shown]
    expect(shown).toMatchObject({
      type: 'IMAGE',
      digest: index.digest,
      labels: [],
      tags: [{ name: 'latest' }, { name: 'v1' }],
      accessories: [
        { type: 'signature.cosign', subject_artifact_digest: index.digest, digest: signature.digest, subject_artifact_repo: 'team/web/app' },
        { type: 'signature.cosign', subject_artifact_id: shown.id },
      ],
      references: [
        { child_digest: arm.digest, platform: { architecture: 'arm64', variant: 'v8' } },
        { child_digest: amd.digest, platform: { architecture: 'amd64' }, annotations: { note: 'fast' } },
      ],
    })
    expect((await ask(`GET ${A}/accessories`, at('web/app', '/v1/accessories?page_size=1'), 200)).headers.get('X-Total-Count')).toBe('2')
    await ask(`GET ${A}/accessories`, at('web/app', '/none/accessories'), 404)

    const child = (await ask(`GET ${A}`, at('web/app', `/${arm.digest}?with_inherited_accessory=true`), 200)).body as Shown
    expect(child).toMatchObject({
      extra_attrs: { architecture: 'arm64', os: 'linux', config: { Cmd: ['sh'] } },
      inherited_accessories: [{ subject_artifact_digest: index.digest }, { subject_artifact_digest: index.digest }],
    })
    expect(child.extra_attrs).not.toHaveProperty('history')
    const links = child.addition_links as Record<string, { href: string }>
    const history = await ask(`GET ${A}/additions/{addition}`, (links.build_history?.href ?? '').replace('/api/v2.0', ''), 200)
    expect(history.body).toEqual(CONFIG.history)
    await ask(`GET ${A}/additions/vulnerabilities`, at('web/app', `/${arm.digest}/additions/vulnerabilities`), 200)
    for (const addition of ['values.yaml', 'sbom', 'license']) {
      await ask(`GET ${A}/additions/{addition}`, at('web/app', `/${arm.digest}/additions/${addition}`), 404)
    }
    await ask('GET /icons/{digest}', `/icons/${shown.icon}`, 200, undefined, '')
    await ask('GET /icons/{digest}', `/icons/${arm.digest}`, 404, undefined, '')
  })

  test('a child that has a tag is listed, one that has none only with all others', async () => {
    const [arm, amd] = [await app.image('a tagged child', CONFIG, 'arm64'), await app.image('another child', CONFIG)]
    const index = await app.index([arm, amd], 'both')
    const shown = async (query: string) => {
      const list = await ask(`GET ${R}`, at('web/app', `?page_size=100&q=${encodeURIComponent(query)}`), 200)
      return (list.body as Shown[]).map(({ digest }) => digest)
    }
    expect(await shown('tags=arm64')).toEqual([arm.digest])
    expect(await shown('')).toEqual(expect.arrayContaining([arm.digest, index.digest]))
    expect(await shown('')).not.toContain(amd.digest)
    expect(await shown('base=*')).toContain(amd.digest)
    const repository = await ask('GET /projects/{project_name}/repositories/{repository_name}', '/projects/team/repositories/web%252Fapp', 200)
    expect(repository.body).toMatchObject({ artifact_count: (await shown('')).length })
    await ask(`DELETE ${A}/tags/{tag_name}`, at('web/app', '/arm64/tags/arm64'), 200)
    expect(await shown('')).not.toContain(arm.digest)
  })

  test('a chart is looked into', async () => {
    const charts = new TestRepository(origin, 'team/chart')
    const chart = async (files: Record<string, string>, tag: string) => {
      const archive = pack()
      for (const [name, text] of Object.entries(files)) archive.entry({ name: `web/${name}` }, text)
      archive.finalize()
      const layer = await charts.blob(gzipSync(await new Response(archive as never).bytes()), HELM_LAYER)
      return await charts.artifact({ config: await charts.blob('{"name":"web","version":"1.0.0"}', HELM_CONFIG), layers: [layer] }, tag)
    }
    await chart(
      {
        'Chart.yaml': 'name: web\ndependencies:\n  - {name: redis, version: 1.2.3, repository: oci://charts}\n',
        'values.yaml': 'replicas: 1\n',
        'README.md': '# Web\n',
      },
      '1.0.0',
    )
    const addition = async (tag: string, name: string, status: number) =>
      (await ask(`GET ${A}/additions/{addition}`, at('chart', `/${tag}/additions/${name}`), status)).body
    expect(await addition('1.0.0', 'values.yaml', 200)).toBe('replicas: 1\n')
    expect(await addition('1.0.0', 'readme.md', 200)).toBe('# Web\n')
    expect(await addition('1.0.0', 'dependencies', 200)).toEqual([{ name: 'redis', version: '1.2.3', repository: 'oci://charts' }])
    expect((await ask(`GET ${A}`, at('chart', '/1.0.0'), 200)).body).toMatchObject({ type: 'CHART', extra_attrs: { name: 'web' } })

    await chart({ 'Chart.yaml': 'name: [', 'values.yaml': 'x'.repeat(1024 * 1024 + 1) }, 'odd')
    await addition('odd', 'dependencies', 400)
    await addition('odd', 'values.yaml', 400)
    await addition('odd', 'readme.md', 404)
    const noArchive = await charts.blob('not packed', HELM_LAYER)
    await charts.artifact({ config: await charts.blob('{}', HELM_CONFIG), layers: [noArchive] }, 'raw')
    await addition('raw', 'values.yaml', 400)
  })

  test('labels, of the system and of a project, on artifacts', async () => {
    await new TestRepository(origin, 'team/marked').image('one', CONFIG, 'one')
    await new TestRepository(origin, 'team/marked').image('two', CONFIG, 'two')
    const { id: everywhere } = await ask('POST /labels', '/labels', 201, { name: 'stable', color: '#00AB9A', scope: 'g' })
    const { id: here } = await ask('POST /labels', '/labels', 201, { name: 'stable', scope: 'p', project_id: team })
    const { id: elsewhere } = await ask('POST /labels', '/labels', 201, { name: 'far', scope: 'p', project_id: team + 1 })
    await ask('POST /labels', '/labels', 409, { name: 'stable', scope: 'g' })
    await ask('POST /labels', '/labels', 400, { name: 'x', scope: 'p' })
    await ask('POST /labels', '/labels', 400, { name: 'x', scope: 'g', color: 'red;}' })
    await ask('POST /labels', '/labels', 400, { name: 'x' })
    await ask('POST /labels', '/labels', 400, { name: 'x', project_id: team })
    for (const wrong of ['a\0b', '\ud800', 'a\udc00']) {
      await ask('POST /labels', '/labels', 400, { name: wrong, scope: 'g' })
      await ask('POST /labels', '/labels', 400, { name: 'x', description: wrong, scope: 'g' })
    }
    await ask('POST /labels', '/labels', 201, { name: '\\u0000 \u{1f40b}', scope: 'g' })
    await ask('POST /labels', '/labels', 401, { name: 'x' }, '')
    expect((await ask('GET /labels', '/labels?scope=g&name=sta', 200)).body).toMatchObject([{ id: everywhere, scope: 'g', project_id: 0 }])
    expect((await ask('GET /labels', `/labels?scope=p&project_id=${team}&sort=-name`, 200)).body).toMatchObject([{ id: here, project_id: team }])
    for (const query of ['', '?scope=x', '?scope=p', `?project_id=${team}`]) await ask('GET /labels', `/labels${query}`, 400)
    await ask('PUT /labels/{label_id}', `/labels/${here}`, 200, { name: 'steady', description: 'stays', color: '#fff' })
    expect((await ask('GET /labels/{label_id}', `/labels/${here}`, 200)).body).toMatchObject({ name: 'steady', description: 'stays' })
    await ask('PUT /labels/{label_id}', '/labels/4711', 404, { name: 'x' })

    const labels = at('marked', '/one/labels')
    await ask(`POST ${A}/labels`, labels, 200, { id: everywhere })
    await ask(`POST ${A}/labels`, labels, 409, { id: everywhere })
    await ask(`POST ${A}/labels`, labels, 404, { id: elsewhere })
    await ask(`POST ${A}/labels`, labels, 404, { id: 4711 })
    await ask(`POST ${A}/labels`, labels, 200, { id: here })
    await ask(`POST ${A}/labels`, at('marked', '/two/labels'), 200, { id: here })
    const counted = async (q: string) => (await ask(`GET ${R}`, at('marked', `?q=${encodeURIComponent(q)}`), 200)).headers.get('X-Total-Count')
    expect([
      await counted(`labels=${here}`),
      await counted(`labels=(${here} ${everywhere})`),
      await counted(`labels={${here} ${everywhere}}`),
    ]).toEqual(['2', '1', '2'])
    await ask(`GET ${R}`, at('marked', '?q=labels=many'), 400)
    expect([
      await counted('push_time=["2020-01-01 00:00:00"~]'),
      await counted('push_time=[~2020-01-01]'),
      await counted('pull_time=[2020-01-01~]'),
      await counted('id=999999'),
    ]).toEqual(['2', '0', '0', '0'])
    expect((await ask(`GET ${A}`, at('marked', '/one?with_label=true'), 200)).body).toMatchObject({
      labels: [{ name: 'stable' }, { name: 'steady' }],
    })
    await ask(`DELETE ${A}/labels/{label_id}`, at('marked', `/one/labels/${here}`), 200)
    await ask(`DELETE ${A}/labels/{label_id}`, at('marked', `/one/labels/${here}`), 404)
    await ask('DELETE /labels/{label_id}', `/labels/${everywhere}`, 200)
    await ask('DELETE /labels/{label_id}', `/labels/${everywhere}`, 404)
    expect((await ask(`GET ${A}`, at('marked', '/one?with_label=true'), 200)).body).toMatchObject({ labels: [] })
  })

  test('shows no config that its repository does not have, whoever names it by its digest', async () => {
    const config = { ...CONFIG, config: { Env: ['TOKEN=theirs'], Labels: { owner: 'another' } } }
    const source = new TestRepository(origin, 'other/secret')
    const held = await source.blob(JSON.stringify(config), OCI_CONFIG)
    await source.artifact({ config: held, layers: [] }, 'v1')
    const theirs = (await ask(`GET ${A}`, '/projects/other/repositories/secret/artifacts/v1', 200)).body
    expect(JSON.stringify(theirs)).toContain('TOKEN=theirs')
    await new TestRepository(origin, 'team/nosy').artifact({ config: { ...held, size: 1 }, layers: [] }, 'v1')
    const shown = [
      await ask(`GET ${R}`, at('nosy'), 200),
      await ask(`GET ${A}`, at('nosy', '/v1'), 200),
      await ask('GET /projects/{project_name_or_id}/artifacts', '/projects/team/artifacts?page_size=100', 200),
    ]
    for (const { body } of shown) expect(JSON.stringify(body)).not.toContain('theirs')
  })

  test('a copy takes everything along, and nobody copies what he may not pull', async () => {
    const from = new TestRepository(origin, 'other/source')
    const image = await from.image('to copy', CONFIG, 'a', 'b')
    const empty = await from.blob('{}', 'application/vnd.oci.empty.v1+json')
    await from.artifact({ artifactType: 'application/vnd.cncf.notary.signature', config: empty, layers: [empty], subject: image })
    await from.image('a signature by its tag', CONFIG, `${image.digest.replace(':', '-')}.sig`)
    const copied = await ask(`POST ${R}`, at('copies', '?from=other/source:a'), 201)
    expect(copied.headers.get('Location')).toBe(`/api/v2.0/projects/team/repositories/copies/artifacts/${image.digest}`)
    expect((await ask(`GET ${A}`, at('copies', `/${image.digest}?with_accessory=true`), 200)).body).toMatchObject({
      tags: [{ name: 'a' }, { name: 'b' }],
      accessories: expect.arrayContaining([
        expect.objectContaining({ type: 'signature.notation' }),
        expect.objectContaining({ type: 'signature.cosign' }),
      ]),
    })
    await ask(`POST ${R}`, at('copies', `?from=other/source@${image.digest}`), 201)
    await ask(`POST ${R}`, at('copies', '?from=other/source:none'), 404)
    await ask(`POST ${R}`, at('copies', '?from=nobody/source:a'), 404)
    for (const wrong of ['', 'source', 'source:a', 'other/source', 'other/source@sha256:1', 'other/../source:a']) {
      await ask(`POST ${R}`, at('copies', `?from=${encodeURIComponent(wrong)}`), 400)
    }
    await ask('POST /users', '/users', 201, { username: 'eve', password: 'Passw0rd-1', email: 'eve@example.com', realname: 'Eve' })
    const members = '/projects/{project_name_or_id}/members'
    await ask(`POST ${members}`, '/projects/team/members', 201, { role_id: 2, member_user: { username: 'eve' } })
    await ask(`POST ${R}`, at('copies', '?from=other/source:a'), 404, undefined, 'eve:Passw0rd-1')
    await ask(`POST ${R}`, '/projects/other/repositories/mine/artifacts?from=team/copies:a', 404, undefined, 'eve:Passw0rd-1')
    await ask(`POST ${R}`, at('more', '?from=team/copies:a'), 201, undefined, 'eve:Passw0rd-1')
  })

  test('all of a project, and the latest of each repository', async () => {
    const P = 'GET /projects/{project_name_or_id}/artifacts'
    await ask('POST /projects', '/projects', 201, { project_name: 'whole' })
    const made: string[] = []
    for (const [name, content] of [
      ['a', '1'],
      ['a', '2'],
      ['b', '3'],
    ] as const) {
      made.push((await new TestRepository(origin, `whole/${name}`).image(content, CONFIG)).digest)
    }
    const digests = async (query: string) => ((await ask(P, `/projects/whole/artifacts${query}`, 200)).body as Shown[]).map(({ digest }) => digest)
    expect(await digests('')).toEqual(made.toReversed())
    const image = 'media_type=application/vnd.oci.image.config.v1%2Bjson'
    expect(await digests(`?latest_in_repository=true&q=${image}`)).toEqual([made[2], made[1]])
    const repository = new TestRepository(origin, 'whole/a')
    const chart = await repository.artifact({ config: await repository.blob('{}', HELM_CONFIG), layers: [] })
    expect(await digests(`?latest_in_repository=true&q=${image}`)).toEqual([made[2], made[1]])
    expect(await digests(`?latest_in_repository=true&q=media_type=${HELM_CONFIG.replace('+', '%2B')}`)).toEqual([chart.digest])
    for (const q of ['', '&q=tags=nil', `&q=${image},artifact_type=x`]) await ask(P, `/projects/whole/artifacts?latest_in_repository=true${q}`, 400)
    await ask(P, '/projects/none/artifacts', 404)

    const S = '/projects/{project_name_or_id}/scanner'
    expect((await ask(`GET ${S}`, '/projects/whole/scanner', 200)).body).toEqual({})
    expect((await ask(`GET ${S}/candidates`, '/projects/whole/scanner/candidates', 200)).body).toEqual([])
    await ask(`PUT ${S}`, '/projects/whole/scanner', 404, { uuid: 'x' })
  })
})
