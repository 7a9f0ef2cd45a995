import type { BlobStore } from '../blob-store.ts'
import type { Clock } from '../clock.ts'
import type { Digest } from '../spec/digests.ts'
import type { Claim, GarbageIndex, Step, StoredBlob } from './garbage-index.ts'
import { BATCH, CLAIM_MS, CONCURRENCY } from './limits.ts'

/** What a collection does, one after the other; `done` is the end. */
export const PHASES = ['manifests', 'links', 'strays', 'blobs', 'done'] as const
export type Phase = (typeof PHASES)[number]

/** How far a collection has come. A collection that was broken off goes on from its last state; what it did since is found done. */
export interface CollectState {
  readonly phase: Phase
  /** Where in the phase; absent: at its beginning. */
  readonly after?: string | undefined
  /** How many manifests had gone when this round through them began. */
  readonly round?: number
  readonly report: CollectReport
}

/** Counts; `bytes` in bytes. In a dry run: what would go. */
export interface CollectReport {
  /** Manifests that nothing kept. */
  readonly manifests: number
  /** Blobs that repositories let go of: one in two repositories counts twice. */
  readonly links: number
  /** Blobs found in the store that nobody knew; they go with a later collection. */
  readonly strays: number
  /** Blobs deleted from the store, and their bytes. */
  readonly blobs: number
  readonly bytes: number
  /** Blobs that the store would not delete; they go with a later collection. */
  readonly failed: number
}

export interface CollectOptions {
  readonly index: GarbageIndex
  readonly blobs: BlobStore
  readonly clock: Clock
  /** Whether manifests without a tag go. */
  readonly untagged: boolean
  /** Only looks. It counts no blob that only an untagged manifest keeps. */
  readonly dryRun: boolean
  /** Whether the store is read from beginning to end, for bytes that nobody knows. */
  readonly strays: boolean
  readonly from?: CollectState | undefined
  /** Called after each step, with what has come of it. */
  readonly onProgress: (state: CollectState) => Promise<void>
  /** Called with each blob that the store would not delete. */
  readonly onFailure: (digest: Digest, error: unknown) => void
  readonly signal: AbortSignal
}

const NOTHING: CollectReport = { manifests: 0, links: 0, strays: 0, blobs: 0, bytes: 0, failed: 0 }

/**
 * Collects garbage while everybody pushes, mounts, pulls and deletes.
 *
 * Whoever may count on a blob counts from a moment that the metadata keeps (`GarbageIndex`), and nothing goes before the grace from there is
 * over. Bytes go between two writes: a claim, which nobody can link past, and the end of the row. A push that put its bytes meanwhile sees one
 * or the other when it links them, and is told to upload again.
 *
 * @throws the signal's reason, and what the metadata or the store's list throws
 */
export async function collectGarbage(options: CollectOptions): Promise<CollectReport> {
  let state: CollectState = options.from ?? { phase: 'manifests', report: NOTHING }
  while (state.phase !== 'done') {
    options.signal.throwIfAborted()
    state = await step(state, options)
    await options.onProgress(state)
  }
  return state.report
}

function step(state: CollectState, options: CollectOptions): Promise<CollectState> {
  switch (state.phase) {
    case 'manifests':
      return manifests(state, options)
    case 'links':
      return links(state, options)
    case 'strays':
      return strays(state, options)
    default:
      return options.dryRun ? wouldDelete(state, options) : deleteBlobs(state, options)
  }
}

async function manifests(state: CollectState, { index, untagged, dryRun }: CollectOptions): Promise<CollectState> {
  if (!untagged) return goOn(state, undefined)
  const found = await index.untagged(at(state))
  const gone = dryRun ? found.items : await index.releaseManifests(found.items)
  const report = add(state.report, { manifests: gone.length })
  // What an index kept is let go of with it, and may stand before it: another round, until one finds nothing.
  const again = found.next === undefined && !dryRun && report.manifests > (state.round ?? 0)
  return again ? { phase: 'manifests', report, round: report.manifests } : goOn({ ...state, report }, found.next)
}

async function links(state: CollectState, { index, dryRun }: CollectOptions): Promise<CollectState> {
  const found = await index.unneeded(at(state))
  const gone = dryRun ? found.items : await index.releaseLinks(found.items)
  const orphans = dryRun ? gone.filter(({ last }) => last) : []
  return goOn({ ...state, report: add(state.report, { links: gone.length, blobs: orphans.length, bytes: bytesOf(orphans) }) }, found.next)
}

async function strays(state: CollectState, options: CollectOptions): Promise<CollectState> {
  const { index, blobs, dryRun } = options
  if (!options.strays) return goOn(state, undefined)
  const { items, more } = await blobs.list({ limit: BATCH, ...(state.after !== undefined && { last: state.after }) })
  const unknown: StoredBlob[] = []
  for (const digest of await index.unknown(items)) {
    const stat = await blobs.stat(digest)
    if (stat !== undefined) unknown.push({ digest, size: stat.size })
  }
  const adopted = dryRun ? unknown : await index.adopt(unknown)
  return goOn({ ...state, report: add(state.report, { strays: adopted.length }) }, more ? items.at(-1) : undefined)
}

async function wouldDelete(state: CollectState, { index }: CollectOptions): Promise<CollectState> {
  const found = await index.condemned(at(state))
  return goOn({ ...state, report: add(state.report, { blobs: found.items.length, bytes: bytesOf(found.items) }) }, found.next)
}

async function deleteBlobs(state: CollectState, options: CollectOptions): Promise<CollectState> {
  const claim = await options.index.claim(BATCH)
  const { gone, errors } = await deleteClaimed(claim, options)
  await options.index.settle(
    claim,
    gone.map(({ digest }) => digest),
  )
  // A store that deletes nothing is not asked for all the rest as well.
  if (gone.length === 0 && errors.length > 0) throw errors[0]
  const report = add(state.report, { blobs: gone.length, bytes: bytesOf(gone), failed: errors.length })
  return { phase: claim.blobs.length < BATCH ? 'done' : 'blobs', report }
}

/** What is not deleted in the claim's time stays claimed, and is another collector's then. */
async function deleteClaimed(
  claim: Claim,
  { blobs, clock, signal, onFailure }: CollectOptions,
): Promise<{ readonly gone: readonly StoredBlob[]; readonly errors: readonly unknown[] }> {
  const gone: StoredBlob[] = []
  const errors: unknown[] = []
  const waiting = claim.blobs.values()
  const work = async () => {
    for (const blob of waiting) {
      if (signal.aborted || clock.now() >= claim.at + CLAIM_MS) return
      try {
        await blobs.delete(blob.digest)
        gone.push(blob)
      } catch (error) {
        errors.push(error)
        onFailure(blob.digest, error)
      }
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, work))
  return { gone, errors }
}

/** On in this phase, or to the beginning of the next. */
function goOn({ phase, report, round }: CollectState, after: string | undefined): CollectState {
  if (after !== undefined) return { phase, after, report, ...(round !== undefined && { round }) }
  return { phase: PHASES[PHASES.indexOf(phase) + 1] ?? 'done', report }
}

const at = ({ after }: CollectState): Step => ({ limit: BATCH, after })

const bytesOf = (blobs: readonly { readonly size: number }[]) => blobs.reduce((sum, { size }) => sum + size, 0)

function add(report: CollectReport, more: Partial<CollectReport>): CollectReport {
  const sum: { -readonly [K in keyof CollectReport]: number } = { ...report }
  for (const key of Object.keys(NOTHING) as (keyof CollectReport)[]) sum[key] += more[key] ?? 0
  return sum
}
