import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MANIFEST_ACCEPT, OCI_INDEX } from '../../registry/spec/media-types.ts'
import { type AtollProcess, startAtoll } from '../support/atoll.ts'
import { DISTRIBUTION, type Distribution, startDistribution } from '../support/distribution.ts'
import type { TestManifest } from '../support/images.ts'
import { CutLink } from './cut-link.ts'
import { CUTS, expectWhole, pushLargeImage, randomCuts, ratioOf } from './over-a-link.ts'
import { atollCli, bytesAt, pull, pushSignature, targetAt } from './sites.ts'

// distribution's registry, which is what "any OCI registry" is most often: no API for referrers, and uploads that are taken up at the address it gives.

let a: AtollProcess
let there: Distribution
let link: CutLink

beforeAll(async () => {
  if (DISTRIBUTION === undefined) return
  ;[a, there] = await Promise.all([startAtoll({ role: 'origin' }), startDistribution()])
  link = await CutLink.to(there.url.host)
  expect((await a.api('POST', '/api/v2.0/registries', { name: 'there', type: 'docker-registry', url: link.url })).status).toBe(201)
}, 120_000)

afterAll(async () => {
  for (const one of [link, a, there]) await one?.[Symbol.asyncDispose]()
})

async function bytesThere(path: string): Promise<Buffer> {
  const answer = await fetch(new URL(`/v2/${path}`, there.url), { headers: { accept: [...MANIFEST_ACCEPT, '*/*'].join(', ') } })
  if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`)
  return Buffer.from(await answer.arrayBuffer())
}

/** Its index of referrers is a tag made of the subject's digest (distribution-spec, "Referrers Tag Schema"). */
const referrersTag = ({ digest }: TestManifest) => digest.replace(':', '-')

describe.skipIf(DISTRIBUTION === undefined)('a registry without an API for referrers', () => {
  test(`as a destination has every byte and the signature, over a link that is cut ${CUTS} times`, async () => {
    await atollCli(a, 'project', 'create', 'out')
    const large = await pushLargeImage(targetAt(a, 'out/app'))
    const signature = await pushSignature(targetAt(a, 'out/app'), large.image.manifest)
    await atollCli(a, 'replicate', 'rule', 'create', 'out', '--push-to', 'there', '--repository', 'out/**')
    const ratio = await ratioOf(a, 'out', link, { direction: 'up', size: large.size, cuts: randomCuts('out', large.size) })
    await expectWhole(large, (path) => bytesThere(`out/app/${path}`))
    const listed = JSON.parse((await bytesThere(`out/app/manifests/${referrersTag(large.image.manifest)}`)).toString())
    expect(listed.manifests).toMatchObject([{ digest: signature.digest }])
    expect((await bytesThere(`out/app/manifests/${signature.digest}`)).equals(signature.bytes)).toBe(true)
    expect(ratio).toBeLessThanOrEqual(1.02)
  }, 240_000)

  test(`as a source gives every byte and the signature, over a link that is cut ${CUTS} times`, async () => {
    const target = { url: there.url, repository: 'in/app' }
    const large = await pushLargeImage(target)
    const signature = await pushSignature(target, large.image.manifest)
    const index = JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: [
        { mediaType: signature.mediaType, digest: signature.digest, size: signature.bytes.length, artifactType: 'application/vnd.example.signature' },
      ],
    })
    const put = await fetch(new URL(`/v2/in/app/manifests/${referrersTag(large.image.manifest)}`, there.url), {
      method: 'PUT',
      headers: { 'content-type': OCI_INDEX },
      body: index,
    })
    expect(put.status).toBe(201)
    await atollCli(a, 'replicate', 'rule', 'create', 'in', '--pull-from', 'there', '--repository', 'in/app', '--tag', '1')
    const ratio = await ratioOf(a, 'in', link, { direction: 'down', size: large.size, cuts: randomCuts('in', large.size) })
    await expectWhole(large, (path) => bytesAt(a, `in/app/${path}`))
    const referrers = (await (await pull(a, `in/app/referrers/${large.image.manifest.digest}`)).json()) as { manifests: object[] }
    expect(referrers.manifests).toMatchObject([{ digest: signature.digest }])
    expect(ratio).toBeLessThanOrEqual(1.02)
  }, 240_000)
})
