import { createHash, randomBytes } from 'node:crypto'
import { copyFile, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A file of random bytes and its digest; written and hashed piece by piece. */
export interface RandomFile extends AsyncDisposable {
  readonly path: string
  readonly digest: string
  readonly size: number
}

const PIECE = 8 * 1024 * 1024

export async function randomFile(size: number): Promise<RandomFile> {
  const path = join(tmpdir(), `atoll-bench-${process.pid}-${randomBytes(6).toString('hex')}`)
  const file = await open(path, 'w')
  const hash = createHash('sha256')
  for (let at = 0; at < size; at += PIECE) {
    const piece = randomBytes(Math.min(PIECE, size - at))
    hash.update(piece)
    await file.write(piece)
  }
  await file.close()
  return { path, size, digest: `sha256:${hash.digest('hex')}`, [Symbol.asyncDispose]: () => rm(path, { force: true }) }
}

/** The same but for a part of the bytes in the middle, as of a layer that was built again with some of its files changed. */
export async function rebuiltFile(before: RandomFile, share: number): Promise<RandomFile> {
  const path = `${before.path}-rebuilt`
  await copyFile(before.path, path)
  const file = await open(path, 'r+')
  const changed = Math.round(before.size * share)
  await file.write(randomBytes(changed), 0, changed, Math.floor(before.size / 2))
  const hash = createHash('sha256')
  const piece = Buffer.alloc(PIECE)
  for (let at = 0; at < before.size; ) {
    const { bytesRead } = await file.read(piece, 0, PIECE, at)
    hash.update(piece.subarray(0, bytesRead))
    at += bytesRead
  }
  await file.close()
  return { path, size: before.size, digest: `sha256:${hash.digest('hex')}`, [Symbol.asyncDispose]: () => rm(path, { force: true }) }
}

/** POST, then PUT of the file: the plain way to push a blob. @returns seconds of the PUT */
export async function pushBlob(
  upload: (url: string, file: string, headers: Readonly<Record<string, string>>) => Promise<{ total: number; status: number }>,
  target: { readonly host: string; readonly repository: string; readonly headers: Readonly<Record<string, string>> },
  blob: RandomFile,
): Promise<number> {
  const begun = await fetch(`http://${target.host}/v2/${target.repository}/blobs/uploads/`, { method: 'POST', headers: target.headers })
  const location = begun.headers.get('location')
  if (begun.status !== 202 || location === null) throw new Error(`an upload to ${target.host} began with ${begun.status}: ${await begun.text()}`)
  const url = new URL(location, `http://${target.host}`)
  url.searchParams.set('digest', blob.digest)
  const { total, status } = await upload(url.href, blob.path, target.headers)
  if (status !== 201) throw new Error(`an upload to ${target.host} ended with ${status}`)
  return total
}

export interface PushedImage {
  readonly digest: string
  readonly bytes: string
}

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'

/** A manifest over a config and these blobs, which are there already. */
export async function pushManifest(
  target: { readonly host: string; readonly repository: string; readonly headers: Readonly<Record<string, string>> },
  tag: string,
  config: RandomFile,
  layers: readonly RandomFile[],
): Promise<PushedImage> {
  const bytes = JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: config.digest, size: config.size },
    layers: layers.map((layer) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: layer.digest, size: layer.size })),
  })
  const answer = await fetch(`http://${target.host}/v2/${target.repository}/manifests/${tag}`, {
    method: 'PUT',
    headers: { ...target.headers, 'content-type': MANIFEST },
    body: bytes,
  })
  if (answer.status !== 201) throw new Error(`a manifest at ${target.host}: ${answer.status} ${await answer.text()}`)
  return { digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`, bytes }
}
