import { LRUCache } from 'lru-cache'
import type { BlobStore } from '../../registry/blob-store.ts'
import type { Digest } from '../../registry/spec/digests.ts'
import { CONFIG_KEPT_LIMIT, CONFIG_LIMIT, CONFIGS_BYTES } from './limits.ts'

/** The parts of an image's or a chart's config that the API tells of, whatever else it holds. */
export type Config = Readonly<Record<string, unknown>>

/** A blob whole; undefined: it is not here, or larger than `limit` bytes. */
export async function readBlob(blobs: Pick<BlobStore, 'open' | 'bytes'>, digest: Digest, limit: number): Promise<Uint8Array | undefined> {
  if (blobs.bytes !== undefined) {
    const bytes = await blobs.bytes(digest, limit)
    return bytes === 'larger' ? undefined : bytes
  }
  const body = await blobs.open(digest)
  if (body?.stream === undefined) return undefined
  if (body.size > limit) {
    await body.stream.cancel()
    return undefined
  }
  return await new Response(body.stream).bytes()
}

/** Configs, read once: lists show the same ones again and again, and a digest's bytes never change. */
export class Configs {
  readonly #known = new LRUCache<Digest, Config>({ maxSize: CONFIGS_BYTES, maxEntrySize: CONFIG_KEPT_LIMIT })

  /** undefined: it is not here, is no JSON object, or is larger than CONFIG_LIMIT. */
  async read(blobs: Pick<BlobStore, 'open' | 'bytes'>, digest: Digest): Promise<Config | undefined> {
    const known = this.#known.get(digest)
    if (known !== undefined) return known
    const bytes = await readBlob(blobs, digest, CONFIG_LIMIT)
    const whole = bytes && parseObject(bytes)
    if (whole === undefined) return undefined
    const config = withoutHistory(whole)
    this.#known.set(digest, config, { size: JSON.stringify(config).length })
    return config
  }
}

/** How an image came to be, a line for each step; undefined: this is no config, or it tells nothing of it. */
export function historyOf(bytes: Uint8Array): readonly unknown[] | undefined {
  const { history } = parseObject(bytes) ?? {}
  return Array.isArray(history) ? history : undefined
}

function parseObject(bytes: Uint8Array): Config | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Config) : undefined
  } catch (error) {
    // Anybody may push anything as a config.
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** What is long and shown elsewhere is not kept. */
function withoutHistory({ history: _, rootfs: __, ...rest }: Config): Config {
  return rest
}
