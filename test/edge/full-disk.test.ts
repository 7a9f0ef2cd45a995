import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readdir, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type RunningEdge, startEdge } from '../../edge/node.ts'
import { edgeSettings } from '../../edge/settings.ts'
import { createLogger } from '../../runtime/logger.ts'
import { defaults } from '../../runtime/settings/define.ts'
import { fillDisk, smallDisk } from '../support/small-disk.ts'
import { until } from '../support/until.ts'
import { OCI_MANIFEST, type PushedImage, TestOrigin } from './support.ts'

const MIB = 1024 * 1024
const disk = await smallDisk(40)

async function edgeOn(folder: string, origin: TestOrigin): Promise<RunningEdge> {
  const edge = await startEdge({
    config: {
      ...defaults(edgeSettings),
      'edge.port': 0,
      'edge.origin_url': origin.url,
      'edge.data_volume': folder,
      'edge.cache.max_bytes': { bytes: 20 * MIB },
      'edge.cache.min_free': { percent: 5 },
    },
    enrolmentToken: () => origin.enrolmentToken('small'),
    log: createLogger({ level: 'silent' }),
  })
  await edge.joined
  await until('the edge is connected', () => edge.status().state === 'connected')
  return edge
}

/** The manifest by its tag, then the layer. Their digests. */
async function pull(edge: RunningEdge, repository: string, tag: string, layer: string): Promise<readonly string[]> {
  const get = async (path: string, accept?: string) => {
    const response = await fetch(`${edge.url}/v2/${repository}/${path}`, { headers: accept === undefined ? {} : { accept } })
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return `sha256:${createHash('sha256')
      .update(Buffer.from(await response.arrayBuffer()))
      .digest('hex')}`
  }
  return [await get(`manifests/${tag}`, OCI_MANIFEST), await get(`blobs/${layer}`)]
}

async function storedBlobs(folder: string): Promise<string[]> {
  const names = await readdir(join(folder, 'blobs', 'blobs'), { recursive: true })
  return names.filter((name) => /[0-9a-f]{64}$/.test(name)).map((name) => join(folder, 'blobs', 'blobs', name))
}

describe.skipIf(disk === undefined)('an edge on a small disk', () => {
  it('keeps to its budget, survives a disk that others fill to the last byte, and stores again when there is room', {
    timeout: 120_000,
  }, async () => {
    await using small = disk
    if (small === undefined) return
    const { folder } = small
    await using origin = await TestOrigin.start()
    await origin.project('team', { public: true })
    const images: (PushedImage & { readonly tag: string })[] = []
    for (let i = 0; i < 14; i++) images.push({ tag: `v${i}`, ...(await origin.push('team/app', `v${i}`, randomBytes(4 * MIB))) })
    let edge = await edgeOn(folder, origin)
    const right = async (from: number, to: number) => {
      for (const { tag, digest, layer } of images.slice(from, to)) expect(await pull(edge, 'team/app', tag, layer)).toEqual([digest, layer])
    }
    try {
      await right(0, 8)
      // 20 MiB hold five layers of eight.
      await until('the last fill is stored', async () => (await storedBlobs(folder)).length === 5)
      await right(0, 8)

      // Whenever the cache makes place, others take it, until it has nothing left to give.
      const foreign = join(folder, 'foreign')
      await mkdir(foreign)
      for (let i = 0; i < 8; i++) {
        await fillDisk(join(foreign, `${i}`))
        await right(i + 4, i + 5)
      }
      for (const path of await storedBlobs(folder)) await rm(path)
      await fillDisk(join(foreign, 'last'))
      expect((await statfs(folder)).bavail).toBe(0)
      await right(0, 12)
      expect(edge.status().state).toBe('connected')
      await edge.close()
      edge = await edgeOn(folder, origin)
      await right(0, 12)

      await rm(foreign, { recursive: true })
      await right(10, 14)
      await until('it stores again', async () => (await storedBlobs(folder)).length === 4)
      await right(10, 14)
    } finally {
      await edge.close()
    }
  })
})
