import { execFile } from 'node:child_process'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { OCI_CONFIG, OCI_MANIFEST } from '../../registry/spec/media-types.ts'
import { testBlob } from '../support/images.ts'

/** The layer as skopeo stores it for zstd:chunked: each file compressed for itself. Resolves with the path of it, in the folder `work`. */
export async function zstdChunked(tar: string, work: string): Promise<string> {
  const [layout, out] = [join(work, 'layout'), join(work, 'out')]
  const blobs = join(layout, 'blobs', 'sha256')
  await mkdir(blobs, { recursive: true })
  const put = async (bytes: Uint8Array, mediaType: string) => {
    const { digest } = testBlob(bytes)
    await writeFile(join(blobs, digest.slice('sha256:'.length)), bytes)
    return { mediaType, digest, size: bytes.byteLength }
  }
  const layer = await put(await readFile(tar), 'application/vnd.oci.image.layer.v1.tar')
  const config = await put(json({ os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [layer.digest] } }), OCI_CONFIG)
  const manifest = await put(json({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [layer] }), OCI_MANIFEST)
  const annotations = { 'org.opencontainers.image.ref.name': 'layer' }
  await writeFile(join(layout, 'oci-layout'), json({ imageLayoutVersion: '1.0.0' }))
  await writeFile(join(layout, 'index.json'), json({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }))
  const compress = ['--dest-compress', '--dest-compress-format', 'zstd:chunked']
  await promisify(execFile)('skopeo', ['copy', ...compress, `oci:${layout}:layer`, `dir:${out}`])
  const copied = JSON.parse(await readFile(join(out, 'manifest.json'), 'utf8')) as { readonly layers: readonly { readonly digest: string }[] }
  const path = join(work, 'layer')
  await cp(join(out, copied.layers[0]?.digest.slice('sha256:'.length) ?? ''), path)
  return path
}

function json(document: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(document))
}
