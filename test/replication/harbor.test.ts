import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseRepositoryName, parseTag } from '../../registry/spec/names.ts'
import { type AtollProcess, startAtoll } from '../support/atoll.ts'
import { HARBOR_CONTRACT } from '../support/harbor/contract-calls.ts'
import { type HarborServer, startHarbor } from '../support/harbor/harbor.ts'
import { pushImage, randomImage, randomIndex } from '../support/images.ts'
import { until } from '../support/until.ts'
import { addEndpointWith, atollCli, atollJson, bytesAt, type Execution, pull, pushSignature, targetAt } from './sites.ts'

const admin = { name: 'admin', secret: 'Harbor12345', admin: true }
const pusher = { name: 'robot$pusher', secret: 'pushes-only', may: { given: ['pull', 'push'] } }
const blind = { name: 'robot$blind', secret: 'may-only-push', may: { given: ['push'] } }
const reader = { name: 'robot$reader', secret: 'reads-only', may: { library: ['pull'] } }

describe.skipIf(!HARBOR_CONTRACT)('Harbor', () => {
  let a: AtollProcess
  let harbor: HarborServer

  beforeAll(async () => {
    ;[a, harbor] = await Promise.all([
      startAtoll({ role: 'origin' }),
      startHarbor({ accounts: [admin, pusher, blind, reader], projects: ['library', 'given', 'secret'] }),
    ])
    await atollCli(a, 'project', 'create', 'team')
    for (const { name, secret } of [admin, pusher, blind, reader]) {
      const added = await addEndpointWith(a, name.replace('robot$', ''), harbor.url.href, name, secret)
      expect(added.code, added.stderr).toBe(0)
    }
  }, 120_000)
  afterAll(async () => {
    await a?.[Symbol.asyncDispose]()
    await harbor?.[Symbol.asyncDispose]()
  })

  const at = (repository: string) => harbor.registry.local.as('system').repository(parseRepositoryName(repository))
  const run = (rule: string) => atollJson<Execution>(a, 'replicate', 'run', rule, '--wait')

  test('gets a project that it has not, an index and its signature, and deletions by its API', async () => {
    const index = randomIndex(['amd64', 'arm64'], [80_000])
    await pushImage(targetAt(a, 'team/deep/app'), index, 'v1')
    const signature = await pushSignature(targetAt(a, 'team/deep/app'), index.manifest)
    const rule = { name: 'to-harbor', filters: [{ type: 'name', value: 'team/**' }], replicate_deletion: true, enabled: true, override: true }
    const [endpoint] = (await (await a.api('GET', '/api/v2.0/registries?name=admin')).json()) as { id: number }[]
    const dest = { dest_registry: { id: endpoint?.id }, trigger: { type: 'event_based' } }
    expect((await a.api('POST', '/api/v2.0/replication/policies', { ...rule, ...dest })).status).toBe(201)
    expect(await run('to-harbor')).toMatchObject({ status: 'Succeed', failed: 0 })
    expect(await harbor.projects()).toContain('team')
    expect((await at('team/deep/app').manifests.get({ tag: parseTag('v1') }))?.descriptor.digest).toBe(index.manifest.digest)
    expect(await at('team/deep/app').manifests.stat({ digest: signature.digest })).toBeDefined()

    await a.api('DELETE', '/api/v2.0/projects/team/repositories/deep%252Fapp/artifacts/v1/tags/v1')
    await until('the tag is gone at Harbor', async () => (await at('team/deep/app').manifests.stat({ tag: parseTag('v1') })) === undefined)
    expect(harbor.calls.seen).toContain('deleteTag')
  })

  test('is pushed to by a robot of one project, who may make none', async () => {
    const image = randomImage({ layers: [70_000] })
    await pushImage(targetAt(a, 'team/app'), image, 'v1')
    await atollCli(a, 'replicate', 'rule', 'create', 'as-robot', '--push-to', 'pusher', '--repository', 'team/app', '--namespace', 'given')
    expect(await run('as-robot')).toMatchObject({ status: 'Succeed' })
    expect((await at('given/app').manifests.get({ tag: parseTag('v1') }))?.descriptor.digest).toBe(image.manifest.digest)

    await atollCli(a, 'replicate', 'rule', 'create', 'astray', '--push-to', 'pusher', '--repository', 'team/app', '--namespace', 'secret')
    expect((await a.cli('replicate', 'run', 'astray', '--wait')).code).toBe(1)
    expect(await at('secret/app').manifests.stat({ tag: parseTag('v1') })).toBeUndefined()
  })

  test('is pulled from by a robot that sees one project, though the catalog is for administrators', async () => {
    const images = Array.from({ length: 3 }, () => randomImage())
    for (const [i, image] of images.entries())
      await pushImage({ url: new URL(harbor.registry.server.url), repository: `library/app-${i}` }, image, 'v1')
    await pushImage({ url: new URL(harbor.registry.server.url), repository: 'secret/app' }, randomImage(), 'v1')
    await atollCli(a, 'replicate', 'rule', 'create', 'from-harbor', '--pull-from', 'reader', '--repository', '**', '--namespace', 'pulled')
    expect(await run('from-harbor')).toMatchObject({ status: 'Succeed', total: 3 })
    for (const [i, image] of images.entries()) {
      expect((await bytesAt(a, `pulled/app-${i}/manifests/${image.manifest.digest}`)).equals(image.manifest.bytes)).toBe(true)
    }
    expect((await pull(a, 'pulled/app/manifests/v1')).status).toBe(404)
  })

  test('is told what an account may do there', async () => {
    const ping = async (name: string, ...more: string[]) => await a.cli('replicate', 'endpoint', 'ping', name, ...more)
    expect((await ping('admin', '--repository', 'library/app')).code).toBe(0)
    const push = await ping('blind', '--repository', 'given/app')
    expect(push.code).toBe(0)
    expect(push.stderr).toMatch(/may not pull from given\/app/)
    const nothing = await ping('reader', '--repository', 'secret/app')
    expect(nothing.code).toBe(1)
    expect(nothing.stderr).toMatch(/rights: login works, but .* may neither pull from secret\/app nor push to it/)
    const refused = await a.api('POST', '/api/v2.0/registries/ping', {
      url: harbor.url.href,
      type: 'harbor',
      access_key: 'admin',
      access_secret: 'wrong',
    })
    expect(refused.status).toBe(400)
    expect(await refused.json()).toMatchObject({ errors: [{ code: 'BAD_REQUEST', message: expect.stringMatching(/^login: /) }] })
  })

  test('was asked nothing but what its contract has, and was sent no cookie back', () => {
    expect(harbor.calls.faults).toEqual([])
    expect(new Set(harbor.calls.seen)).toEqual(new Set(['headProject', 'createProject', 'listAllRepositories', 'deleteTag']))
    expect(harbor.cookies).toEqual([])
  })
})
