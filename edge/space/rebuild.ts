import type { BlobStore } from '../../registry/blob-store.ts'
import type { Key, Ledger } from './ledger.ts'
import { AT_ONCE, PAGE } from './limits.ts'
import { draftKey } from './space.ts'

/**
 * Brings the ledger in line with what is there: adds what it does not know, as used now, and drops what is gone. Without a ledger this
 * makes one. What comes or goes while it looks is left alone.
 */
export async function rebuild(ledger: Ledger, blobs: BlobStore, signal: AbortSignal): Promise<void> {
  const known = new Set<Key>()
  for (const { key } of ledger.oldest()) known.add(key)
  const learn = async (key: Key, size: () => Promise<number | undefined>) => {
    if (known.delete(key) || ledger.has(key)) return
    const found = await size()
    if (found !== undefined && !ledger.has(key)) ledger.add(key, found)
  }
  for await (const digests of pages((page) => blobs.list(page), signal)) {
    await inBatches(digests, (digest) => learn(digest, async () => (await blobs.stat(digest))?.size))
  }
  for await (const ids of pages((page) => blobs.drafts(page), signal)) {
    await inBatches(ids, (id) => learn(draftKey(id), () => blobs.draft(id).size()))
  }
  for (const key of known) ledger.remove(key)
}

async function* pages<T extends string>(
  list: (page: { readonly limit: number; readonly last?: string }) => Promise<{ readonly items: readonly T[]; readonly more: boolean }>,
  signal: AbortSignal,
): AsyncGenerator<readonly T[]> {
  for (let last: string | undefined; ; ) {
    signal.throwIfAborted()
    const { items, more } = await list({ limit: PAGE, ...(last !== undefined && { last }) })
    yield items
    last = items.at(-1)
    if (!more || last === undefined) return
  }
}

async function inBatches<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < items.length; at += AT_ONCE) await Promise.all(items.slice(at, at + AT_ONCE).map(work))
}
