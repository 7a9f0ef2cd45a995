import type { Log } from '../registry/log.ts'
import type { ObjectStore } from '../registry/object-store.ts'
import { LOST_RUNS_PAGE } from './limits.ts'
import { originSourceId } from './sources.ts'

const KINDS = ['tags', 'manifests', 'links'] as const
const RUN = /^[a-z]+\/origin\.(\d+)\//
/** After every name that a key may have behind a prefix. */
const END = '~'

/**
 * Deletes what the records say of the origin in runs of the feed before `run`: nobody believes it any more, and it is kept apart from what is
 * said now. Only where the records are one process's own: of others that share a bucket each counts its runs for itself. Resolves with how many
 * records went. @throws the signal's reason
 */
export async function dropLostRuns(records: ObjectStore, run: number, signal: AbortSignal): Promise<number> {
  let dropped = 0
  for (const kind of KINDS) {
    const now = `${kind}/${originSourceId(run)}/`
    for (let last: string | undefined; ; ) {
      signal.throwIfAborted()
      const { items, more } = await records.list(`${kind}/origin.`, { limit: LOST_RUNS_PAGE, ...(last !== undefined && { last }) })
      const lost = items.map(({ key }) => key).filter((key) => Number(key.match(RUN)?.[1] ?? run) < run)
      await records.delete(lost)
      dropped += lost.length
      last = items.at(-1)?.key
      if (!more || last === undefined) break
      // There may be very many of this run, and none of them is looked for.
      if (last.startsWith(now)) last = now + END
    }
  }
  return dropped
}

/** Beside everything else: what is left for now goes with the next run, or the next start. */
export async function forgetRunsBefore(
  run: number,
  { records, signal, log }: { readonly records: ObjectStore; readonly signal: AbortSignal; readonly log: Log },
): Promise<void> {
  try {
    const dropped = await dropLostRuns(records, run, signal)
    if (dropped > 0) log.info({ dropped, run }, 'What the origin said before the feed broke off is dropped.')
  } catch (error) {
    if (!signal.aborted) log.warn({ err: error, run }, 'What the origin said before the feed broke off could not be dropped.')
  }
}
