import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { must } from './run.ts'

interface Descriptor {
  mediaType: string
  digest: string
  size: number
  platform?: { os: string; architecture: string }
  annotations?: Record<string, string>
}

const OCI = 'application/vnd.oci.image'

/** An OCI image layout on disk that real clients push: `image`, for this machine, and `index`, for several platforms. Layers are real root file systems. */
export interface ImageLayout extends AsyncDisposable {
  readonly dir: string
  /** Digest of the image tagged `image`. */
  readonly image: string
  /** Digest of the index tagged `index`. */
  readonly index: string
  /** The root file system of `image` as an uncompressed tar. */
  readonly rootfs: string
  readonly platforms: readonly string[]
  /** What `index` is made of, in the order in which a registry wants it. */
  readonly contents: readonly { readonly mediaType: string; readonly digest: string }[]
}

export async function imageLayout(options: { readonly layerBytes?: number; readonly platforms?: readonly string[] } = {}): Promise<ImageLayout> {
  const dir = await mkdtemp(join(tmpdir(), 'atoll-layout-'))
  const platforms = options.platforms ?? ['amd64', 'arm64', 's390x']
  const blobs = join(dir, 'blobs', 'sha256')
  await mkdir(blobs, { recursive: true })
  const written: Descriptor[] = []
  const put = async (bytes: Uint8Array, mediaType: string): Promise<Descriptor> => {
    const hex = createHash('sha256').update(bytes).digest('hex')
    await writeFile(join(blobs, hex), bytes)
    const descriptor = { mediaType, digest: `sha256:${hex}`, size: bytes.length }
    written.push(descriptor)
    return descriptor
  }
  const putJson = (document: unknown, mediaType: string) => put(Buffer.from(JSON.stringify(document)), mediaType)

  const manifests: Descriptor[] = []
  for (const architecture of platforms) {
    const root = join(dir, `root-${architecture}`)
    await mkdir(join(root, 'etc'), { recursive: true })
    await writeFile(join(root, 'etc', 'atoll-test'), randomBytes(options.layerBytes ?? 200_000))
    await must('tar', ['-C', root, '-cf', `${root}.tar`, '.'])
    const tar = await readFile(`${root}.tar`)
    const layer = await put(await promisify(gzip)(tar), `${OCI}.layer.v1.tar+gzip`)
    const config = await putJson(
      {
        os: 'linux',
        architecture,
        config: { Cmd: ['/bin/true'] },
        rootfs: { type: 'layers', diff_ids: [`sha256:${createHash('sha256').update(tar).digest('hex')}`] },
        history: [{ created: '2026-01-01T00:00:00Z', created_by: 'a test' }],
      },
      `${OCI}.config.v1+json`,
    )
    const manifest = await putJson({ schemaVersion: 2, mediaType: `${OCI}.manifest.v1+json`, config, layers: [layer] }, `${OCI}.manifest.v1+json`)
    manifests.push({ ...manifest, platform: { os: 'linux', architecture } })
  }
  const [first] = manifests
  if (!first) throw new Error('a layout needs a platform')
  const index = await putJson({ schemaVersion: 2, mediaType: `${OCI}.index.v1+json`, manifests }, `${OCI}.index.v1+json`)
  const tagged = (descriptor: Descriptor, name: string) => ({ ...descriptor, annotations: { 'org.opencontainers.image.ref.name': name } })
  await writeFile(
    join(dir, 'index.json'),
    JSON.stringify({ schemaVersion: 2, mediaType: `${OCI}.index.v1+json`, manifests: [tagged(first, 'image'), tagged(index, 'index')] }),
  )
  await writeFile(join(dir, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
  return {
    dir,
    image: first.digest,
    index: index.digest,
    rootfs: join(dir, `root-${platforms[0]}.tar`),
    platforms,
    contents: written.map(({ mediaType, digest }) => ({ mediaType, digest })),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  }
}

/** Pushes `index` and everything it refers to by plain HTTP. */
export async function pushIndexByHttp(
  layout: ImageLayout,
  target: { readonly host: string; readonly repository: string; readonly bearer: string },
  tag: string,
): Promise<void> {
  const base = `http://${target.host}/v2/${target.repository}`
  const authorization = `Bearer ${target.bearer}`
  for (const { mediaType, digest } of layout.contents) {
    const body = await readFile(join(layout.dir, 'blobs', 'sha256', digest.slice('sha256:'.length)))
    const isManifest = /\.(manifest|index)\.v1\+json$/.test(mediaType)
    const reference = digest === layout.index ? tag : digest
    const answer = isManifest
      ? await fetch(`${base}/manifests/${reference}`, { method: 'PUT', headers: { authorization, 'content-type': mediaType }, body })
      : await fetch(`${base}/blobs/uploads/?digest=${digest}`, {
          method: 'POST',
          headers: { authorization, 'content-type': 'application/octet-stream' },
          body,
        })
    if (answer.status !== 201) throw new Error(`${reference}: ${answer.status} ${await answer.text()}`)
  }
}
