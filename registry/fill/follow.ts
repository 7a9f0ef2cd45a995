import type { BlobStore } from '../blob-store.ts'
import { type Clock, pause } from '../clock.ts'
import type { Digest } from '../spec/digests.ts'
import { Attempt } from './attempt.ts'
import { Abandoned, Absent, sourceFails } from './errors.ts'
import type { FillSource } from './fills.ts'
import type { Flow } from './flow.ts'
import type { Keeper } from './keeper.ts'
import type { FillLeases, Lease } from './leases.ts'
import type { FillLimits } from './limits.ts'

export interface FollowOptions {
  readonly leases: FillLeases
  /** Of the draft that the other process writes, and of its lease. */
  readonly id: string
  readonly digest: Digest
  readonly blobs: BlobStore
  readonly source: FillSource
  readonly keeper: Keeper
  readonly flow: Flow
  readonly clock: Clock
  readonly limits: FillLimits
  readonly wanted: () => boolean
  readonly signal: AbortSignal
}

async function editionOf(blobs: BlobStore, digest: Digest): Promise<string | undefined> {
  return blobs.edition === undefined ? '' : await blobs.edition(digest)
}

/**
 * While another process fills this blob: what it has stored is readable here as it lands. Resolves with `'stored'` when the blob is whole, or was and
 * has been deleted since, and with the lease when the fill is ours now. The source is asked only whether this repository has the blob.
 * What is read here before it is verified is of one edition of the other's draft; those who have had bytes of another than the right one are cut off.
 * @throws Absent, Abandoned, what the source and the store throw, the signal's reason
 */
export async function follow(options: FollowOptions): Promise<Lease | 'stored'> {
  const { source, flow, clock, limits, signal } = options
  const asking = new Attempt(clock, signal)
  const late = () => sourceFails(source.name, 'did not answer in time')
  const found = await asking.within(limits.firstByteMs, late, source.stat(asking.signal)).finally(() => asking.end(new Abandoned()))
  if (found === undefined) throw new Absent()
  flow.sized(found.size)
  flow.follow()
  try {
    const lease = await lookOnAndOn(options, found.size)
    flow.lead()
    return lease
  } catch (error) {
    // Whatever else fails here is the store.
    if (!(error instanceof Abandoned) && !signal.aborted) flow.castOff()
    throw error
  }
}

async function lookOnAndOn(
  { leases, id, digest, blobs, keeper, flow, clock, wanted, signal }: FollowOptions,
  size: number,
): Promise<Lease | 'stored'> {
  const waiting = leases.waiting(id)
  let seen: string | undefined
  for (;;) {
    // In this order: what is looked at later tells what has become of what was not there before.
    const edition = await keeper.edition()
    const readable = edition !== undefined && (await keeper.leftover()) > 0
    const lease = await waiting.look()
    const stored = (await blobs.stat(digest))?.size === size ? await editionOf(blobs, digest) : undefined
    const now = stored ?? edition
    const other = seen !== undefined && seen !== now && (readable || stored !== undefined || lease !== undefined)
    const verified = other && (await leases.verified(id)) === seen
    if (other && !verified) {
      // What was there turned out wrong, or nobody can say any more what it was.
      flow.restart()
      flow.sized(size)
    }
    if (verified || stored !== undefined) {
      await lease?.release()
      keeper.committed(size)
      flow.verify()
      return 'stored'
    }
    if (lease !== undefined) return lease
    if (readable) seen = edition
    flow.changed.ring()
    if (!wanted()) throw new Abandoned()
    await pause(clock, leases.limits.lookMs, signal)
  }
}
