import { describe, expect, it } from 'vitest'
import { randomImage, type TestImage, testBlob } from '../../test/support/images.ts'
import type { Registry, Repository } from '../registry.ts'
import { type Digest, parseDigest } from '../spec/digests.ts'
import { RegistryError } from '../spec/errors.ts'
import { parseRepositoryName, parseTag } from '../spec/names.ts'
import { CreationTimes, type RepositoryRules, ruled } from './ruled.ts'

const app = parseRepositoryName('hub/library/app')
const latest = parseTag('latest')
const OCI_INDEX = 'application/vnd.oci.image.index.v1+json'

/** A registry of these, the first of them under `latest`. */
function holding(...images: TestImage[]): { registry: Registry; read: string[] } {
  const read: string[] = []
  const find = (digest: string | undefined) => images.find(({ manifest }) => digest === undefined || manifest.digest === digest)?.manifest
  const get = async (digest: Digest | undefined) => {
    const found = find(digest)
    return found && { descriptor: { mediaType: found.mediaType, digest: parseDigest(found.digest), size: found.bytes.length }, bytes: found.bytes }
  }
  const repository: Partial<Repository> = {
    name: app,
    manifests: {
      stat: async ({ digest }) => await get(digest),
      get: async ({ digest }) => await get(digest),
      put: () => Promise.reject(new TypeError('not here')),
      delete: () => Promise.reject(new TypeError('not here')),
    },
    blobs: {
      stat: async () => undefined,
      open: async (digest) => {
        read.push(digest)
        const blob = images.flatMap(({ blobs }) => blobs).find((each) => each.digest === digest)
        return blob && { size: blob.bytes.length, stream: new Blob([new Uint8Array(blob.bytes)]).stream() }
      },
      delete: async () => false,
    },
  }
  return { read, registry: { repository: () => repository as Repository, repositories: async () => ({ items: [], more: false }) } }
}

/** Refuses what was created after this, or does not say when. */
function until(limit: string): RepositoryRules {
  return {
    name: () => {},
    looksInside: () => true,
    content: ({ created }) => {
      if (created === undefined || created > Date.parse(limit)) throw new RegistryError('DENIED', `created ${created}`)
    },
  }
}

function index(children: readonly TestImage[], platforms: readonly string[]): TestImage {
  const manifests = children.map(({ manifest }, i) => ({
    mediaType: manifest.mediaType,
    digest: manifest.digest,
    size: manifest.bytes.length,
    platform: { os: platforms[i], architecture: 'amd64' },
  }))
  const blob = testBlob(new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests })))
  return { manifest: { ...blob, mediaType: OCI_INDEX }, children, blobs: [], layers: [] }
}

describe('rules about what an artifact says of itself', () => {
  const old = () => randomImage({ created: '2020-01-01T00:00:00Z' })

  it('are asked of GET and HEAD, by tag and by digest, and of the config once', async () => {
    const image = randomImage({ created: '2026-05-05T00:00:00Z' })
    const { registry, read } = holding(image)
    const { manifests } = ruled(registry, async () => until('2026-01-01'), new CreationTimes()).repository(app)
    const digest = parseDigest(image.manifest.digest)
    for (const reference of [{ tag: latest }, { digest }]) {
      await expect(manifests.get(reference)).rejects.toThrow('created')
      await expect(manifests.stat(reference)).rejects.toThrow('created')
    }
    expect(read).toEqual([image.blobs[0]?.digest])
    expect(
      await ruled(registry, async () => undefined, new CreationTimes())
        .repository(app)
        .manifests.get({ digest }),
    ).toBeDefined()
  })

  it('take an index for as old as its first platform, and children that say nothing for as old as their index', async () => {
    const [child, attestation] = [old(), randomImage()]
    const { registry } = holding(index([attestation, child], ['unknown', 'linux']), child, attestation)
    const times = new CreationTimes()
    const { manifests } = ruled(registry, async () => until('2026-01-01'), times).repository(app)
    const digest = parseDigest(attestation.manifest.digest)
    await expect(manifests.get({ digest })).rejects.toThrow('created undefined')
    expect(await manifests.get({ tag: latest })).toBeDefined()
    expect(await manifests.get({ digest })).toBeDefined()
  })

  it('do not let a young child hide in an old index', async () => {
    const [child, young] = [old(), randomImage({ created: '2026-05-05T00:00:00Z' })]
    const { registry } = holding(index([child, young], ['linux', 'windows']), child, young)
    const { manifests } = ruled(registry, async () => until('2026-01-01'), new CreationTimes()).repository(app)
    expect(await manifests.get({ tag: latest })).toBeDefined()
    await expect(manifests.get({ digest: parseDigest(young.manifest.digest) })).rejects.toThrow('created')
  })
})
