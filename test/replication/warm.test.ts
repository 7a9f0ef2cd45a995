import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { OCI_MANIFEST } from '../../registry/spec/media-types.ts'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { pushImage, randomImage, randomIndex, type TestImage } from '../support/images.ts'
import { until } from '../support/until.ts'
import { type CountingProxy, countingProxy } from './counting-proxy.ts'
import { atollCli, atollJson, type Execution, pull, pushSignature, targetAt, taskLogs } from './sites.ts'

let a: AtollProcess
let b: AtollProcess
let toB: CountingProxy

beforeAll(async () => {
  a = await startAtoll({ role: 'origin' })
  b = await startAtoll({ role: 'origin' })
  toB = await countingProxy(b.origin)
  const credential = { type: 'basic', access_key: 'admin', access_secret: ADMIN_PASSWORD }
  expect((await a.api('POST', '/api/v2.0/registries', { name: 'b', type: 'harbor', url: toB.url, credential })).status).toBe(201)
}, 120_000)

afterAll(async () => {
  for (const one of [toB, a, b]) await one?.[Symbol.asyncDispose]()
})

async function succeeds(rule: string): Promise<void> {
  const execution = await atollJson<Execution>(a, 'replicate', 'run', rule, '--wait')
  expect(execution.status, await taskLogs(a, execution.id)).toBe('Succeed')
}

/** As cosign did before referrers: a tag made of the digest, with a suffix. */
async function setBeside(repository: string, { manifest }: TestImage, suffix: string): Promise<string> {
  const tag = `${manifest.digest.replace(':', '-')}.${suffix}`
  await pushImage(targetAt(a, repository), randomImage({ layers: [300] }), tag)
  return tag
}

const statusAt = async (path: string) => (await pull(b, path)).status

describe('a run that has nothing to do', () => {
  test('asks once for each tag and nothing else, however much refers to it', async () => {
    await atollCli(a, 'project', 'create', 'warm')
    const target = targetAt(a, 'warm/app')
    const tags = ['1', '2', '3', 'many']
    for (const tag of tags) {
      const image = tag === 'many' ? randomIndex(['amd64', 'arm64']) : randomImage()
      await pushImage(target, image, tag)
      const signature = await pushSignature(target, image.manifest)
      await pushSignature(target, signature)
      for (const child of image.children) await pushSignature(target, child.manifest)
    }
    await atollCli(a, 'replicate', 'rule', 'create', 'warm', '--push-to', 'b', '--repository', 'warm/**')
    await succeeds('warm')
    toB.reset()
    await succeeds('warm')
    // An endpoint is looked at now and then, whatever runs.
    const asked = toB.requests.filter((line) => line !== 'GET /v2/')
    expect([...asked].sort()).toEqual(tags.map((tag) => `HEAD /v2/warm/app/manifests/${tag}`))
  }, 120_000)

  test('looks again where there is something new, or where the tag is another one there', async () => {
    await atollCli(a, 'project', 'create', 'again')
    const target = targetAt(a, 'again/app')
    const image = randomImage()
    await pushImage(target, image, '1')
    await pushSignature(target, image.manifest)
    await atollCli(a, 'replicate', 'rule', 'create', 'again', '--push-to', 'b', '--repository', 'again/**')
    await succeeds('again')
    const second = await pushSignature(target, image.manifest)
    await succeeds('again')
    expect(await statusAt(`again/app/manifests/${second.digest}`)).toBe(200)

    const headers = { authorization: `Basic ${Buffer.from(`admin:${ADMIN_PASSWORD}`).toString('base64')}` }
    for (const digest of [second.digest, image.manifest.digest])
      expect((await fetch(`http://${b.origin}/v2/again/app/manifests/${digest}`, { method: 'DELETE', headers })).status).toBe(202)
    await succeeds('again')
    expect(await statusAt(`again/app/manifests/${second.digest}`)).toBe(200)
    expect(await statusAt('again/app/manifests/1')).toBe(200)
  }, 120_000)
})

describe('what belongs to an artifact travels with it, though the rule asks for other tags', () => {
  test('by tags of cosign, of an index and of its parts', async () => {
    await atollCli(a, 'project', 'create', 'cosign')
    const index = randomIndex(['amd64', 'arm64'])
    await pushImage(targetAt(a, 'cosign/app'), index, 'v1')
    const other = randomImage()
    await pushImage(targetAt(a, 'cosign/app'), other, 'dev')
    const beside = [await setBeside('cosign/app', index, 'sig'), await setBeside('cosign/app', index, 'att')]
    for (const child of index.children) beside.push(await setBeside('cosign/app', child, 'sbom'))
    const others = await setBeside('cosign/app', other, 'sig')
    await atollCli(a, 'replicate', 'rule', 'create', 'cosign', '--push-to', 'b', '--repository', 'cosign/**', '--tag', 'v*')
    await succeeds('cosign')
    for (const tag of ['v1', ...beside]) expect(await statusAt(`cosign/app/manifests/${tag}`), tag).toBe(200)
    for (const tag of ['dev', others]) expect(await statusAt(`cosign/app/manifests/${tag}`), tag).toBe(404)
  }, 120_000)

  test('by itself, when it is signed later', async () => {
    await atollCli(a, 'project', 'create', 'later')
    const target = targetAt(a, 'later/app')
    await atollCli(a, 'replicate', 'rule', 'create', 'later', '--push-to', 'b', '--repository', 'later/**', '--tag', 'v*', '--on-push')
    const index = randomIndex(['amd64', 'arm64'])
    await pushImage(target, index, 'v1')
    await until('the index is there', async () => (await statusAt('later/app/manifests/v1')) === 200)
    const child = index.children[0]
    if (child === undefined) throw new Error('no child')
    const signature = await pushSignature(target, child.manifest)
    await until('its signature is there', async () => (await statusAt(`later/app/manifests/${signature.digest}`)) === 200)
    const tag = await setBeside('later/app', index, 'sig')
    await until('what is beside it is there', async () => (await statusAt(`later/app/manifests/${tag}`)) === 200)
    const answer = await pull(b, `later/app/referrers/${child.manifest.digest}`)
    expect(await answer.json()).toMatchObject({ manifests: [{ digest: signature.digest, mediaType: OCI_MANIFEST }] })
  }, 120_000)
})
