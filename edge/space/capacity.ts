import type { DiskUse } from '../../runtime/disk.ts'
import type { Amount } from '../../runtime/settings/amount.ts'

/**
 * How much a cache on this disk may have in all: what the administrator allows, and never so much that the disk has less than `minFree`
 * left, whoever else fills it.
 */
export function diskCapacity(options: {
  readonly most: Amount
  readonly minFree: Amount
  readonly disk: () => Promise<DiskUse>
}): (occupied: number) => Promise<number> {
  const { most, minFree, disk } = options
  return async (occupied) => {
    const { size, free } = await disk()
    return Math.max(0, Math.min(amountOf(most, size), occupied + free - amountOf(minFree, size)))
  }
}

/** A bucket has no end: a share of it is no limit. */
export function bucketCapacity(most: Amount): () => Promise<number> {
  return async () => ('bytes' in most ? most.bytes : Number.POSITIVE_INFINITY)
}

function amountOf(amount: Amount, size: number): number {
  return 'bytes' in amount ? amount.bytes : Math.floor((size * amount.percent) / 100)
}
