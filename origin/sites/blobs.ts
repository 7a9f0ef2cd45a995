import { SITES, type SiteCard } from '../../mesh/sites.ts'
import type { BlobStore, CreateHasher } from '../../registry/blob-store.ts'
import { type Clock, pause } from '../../registry/clock.ts'
import { algorithmOf, type Digest, hexOf } from '../../registry/spec/digests.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { Steps } from '../../registry/steps.ts'
import { isFull } from '../../stores/file-system.ts'
import { BLOB_FRUITLESS, BLOB_STALL_MS, SITE_RETRY_FIRST_MS } from './limits.ts'
import type { SiteTalk } from './talk.ts'

export interface BlobFetcherOptions {
  readonly store: BlobStore
  readonly talk: Pick<SiteTalk, 'bytes'>
  readonly createHasher: CreateHasher
  readonly clock: Clock
  readonly steps: Steps
}

/**
 * Brings a blob's bytes from the primary into the standby's store, unless they are there. They grow in a draft, which survives a crash: no byte
 * that arrived comes twice. Nothing becomes visible by it: rows do that, later.
 *
 * False: the primary has none. @throws RegistryError UNAVAILABLE, UPSTREAM_INVALID
 */
export async function bringBlob(peer: Pick<SiteCard, 'url'>, digest: Digest, signal: AbortSignal, options: BlobFetcherOptions): Promise<boolean> {
  const { store, clock } = options
  if (await store.stat(digest)) return true
  const draft = store.draft(`site-${hexOf(digest)}`.slice(0, 128))
  for (let fruitless = 0; ; ) {
    const before = (await draft.size()) ?? 0
    try {
      return await bringOnce(peer, digest, signal, options, before)
    } catch (error) {
      signal.throwIfAborted()
      // The primary cannot help with that.
      if (isFull(error)) throw error
      const arrived = (await draft.size()) ?? 0
      fruitless = arrived > before ? 0 : fruitless + 1
      if (fruitless >= BLOB_FRUITLESS) throw error
      await pause(clock, SITE_RETRY_FIRST_MS * 2 ** fruitless, signal)
    }
  }
}

async function bringOnce(
  peer: Pick<SiteCard, 'url'>,
  digest: Digest,
  outer: AbortSignal,
  options: BlobFetcherOptions,
  offset: number,
): Promise<boolean> {
  const { store, talk, createHasher, clock, steps } = options
  const draft = store.draft(`site-${hexOf(digest)}`.slice(0, 128))
  const stalled = new AbortController()
  const stall = () => stalled.abort(new DOMException('the other site is silent', 'TimeoutError'))
  let watchdog = clock.after(BLOB_STALL_MS, stall)
  try {
    const signal = AbortSignal.any([outer, stalled.signal])
    const response = await talk.bytes(peer, SITES.blob(digest), offset, signal)
    if (response.status === 404) {
      await response.body?.cancel()
      await draft.discard()
      return false
    }
    // All of it is here already, and only the end was missing.
    const whole = response.status === 416
    if (!whole && (response.body === null || response.status !== (offset > 0 ? 206 : 200))) {
      await response.body?.cancel()
      throw new RegistryError('UNAVAILABLE', `The primary answers ${response.status} for the blob ${digest}.`)
    }
    if (whole) await response.body?.cancel()
    else if (response.body !== null) {
      const length = Number(response.headers.get('Content-Length'))
      const writer = await draft.writer({ offset, ...(Number.isSafeInteger(length) && length > 0 && { expected: offset + length }) })
      try {
        for await (const chunk of response.body) {
          watchdog()
          watchdog = clock.after(BLOB_STALL_MS, stall)
          await writer.write(chunk)
          steps('blob: part written')
        }
      } finally {
        // What arrived is kept, however it ended.
        await writer.close()
      }
    }
    steps('blob: draft durable')
    const size = (await draft.size()) ?? 0
    const hasher = createHasher(algorithmOf(digest))
    if (size > 0) for await (const chunk of await draft.read({ offset: 0, length: size })) hasher.update(chunk)
    const actual = hasher.digest()
    if (actual === digest) {
      steps('blob: verified')
      await draft.commit(digest)
      steps('blob: stored')
      return true
    }
    const total = Number(response.headers.get('X-Blob-Size') ?? Number.NaN)
    if (!Number.isNaN(total) && size < total) throw new RegistryError('UNAVAILABLE', `The blob ${digest} broke off.`)
    await draft.discard()
    throw new RegistryError('UPSTREAM_INVALID', `The primary sends a blob that hashes to ${actual} where ${digest} is meant.`)
  } finally {
    watchdog()
  }
}
