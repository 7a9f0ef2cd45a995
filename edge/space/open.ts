import type { BlobStore } from '../../registry/blob-store.ts'
import { type Clock, every, pause } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import type { ObjectStore } from '../../registry/object-store.ts'
import { onFullDisk } from './full-disk.ts'
import { Ledger } from './ledger.ts'
import { KEEP_USES_MS, LOOK_AGAIN_FIRST_MS, LOOK_AGAIN_LAST_MS, LOOK_EVERY_MS, TRIM_EVERY_MS } from './limits.ts'
import { type Pin, PinnedBlobs } from './pins.ts'
import type { Reads } from './reads.ts'
import { rebuild } from './rebuild.ts'
import { Space, type SpaceStatus } from './space.ts'
import { spacedBlobStore } from './spaced-blob-store.ts'

export interface OpenSpaceOptions {
  readonly blobs: BlobStore
  readonly records: ObjectStore
  /** Given by whoever made `blobs` tell it of its readers; absent: readers are watched here. */
  readonly reads: { readonly told: boolean; readonly by: Reads }
  readonly capacity: (occupied: number) => Promise<number>
  /** Whether the store does not answer now: then nothing is read of it and nothing written down. By default it always does. */
  readonly away?: () => boolean
  readonly pins: readonly Pin[]
  readonly clock: Clock
  readonly log: Log
}

export interface SpacedStores {
  readonly blobs: BlobStore
  readonly records: ObjectStore
  status(): SpaceStatus
  /** Looks through the store once and writes uses down, until the signal ends it; then once more. Never rejects. */
  run(signal: AbortSignal): Promise<void>
  /** The same for a store of small objects on the same disk, whose writes must succeed if place can be made for them. */
  urgent(objects: ObjectStore): ObjectStore
}

/** Stores that keep to a budget. */
export async function openSpace(options: OpenSpaceOptions): Promise<SpacedStores> {
  const { blobs, records, reads, capacity, clock, log, away = () => false } = options
  const ledger = away() ? Ledger.unread(records, clock) : await Ledger.open(records, clock)
  const pinned = new PinnedBlobs(options.pins, records, clock)
  const space = new Space({ blobs, ledger, reads: reads.by, clock, log, capacity, pinned: () => pinned.blobs() })
  const keep = async () => {
    if (away()) return
    try {
      await ledger.keep()
    } catch (error) {
      log.warn({ error }, 'which blobs were used when could not be written down')
    }
  }
  const look = async (signal: AbortSignal) => {
    for (let wait = LOOK_AGAIN_FIRST_MS; !signal.aborted; wait = Math.min(2 * wait, LOOK_AGAIN_LAST_MS)) {
      try {
        await rebuild(ledger, blobs, signal)
        await trim()
        return
      } catch (error) {
        if (signal.aborted) return
        log.warn({ error }, 'the cache could not be looked through: its size is counted from what is known of it')
      }
      await pause(clock, wait, signal).catch(() => undefined)
    }
  }
  const trim = async () => {
    if (away()) return
    try {
      await space.trim()
    } catch (error) {
      log.warn({ error }, 'whether the cache is within its budget cannot be said now')
    }
  }
  return {
    blobs: spacedBlobStore({ blobs, space, ledger, reads: reads.by, tellsReads: reads.told }),
    records: onFullDisk(pinned.watched(records), { space, log, otherwise: 'forget' }),
    status: () => space.status(),
    urgent: (objects) => onFullDisk(objects, { space, log, otherwise: 'fail' }),
    run: async (signal) => {
      await trim()
      const looking = look(signal).then(async () => {
        // Others may store in it, too.
        if (blobs.mayVanish === true) await every(clock, LOOK_EVERY_MS, signal, () => look(signal))
      })
      await Promise.all([looking, every(clock, KEEP_USES_MS, signal, keep), every(clock, TRIM_EVERY_MS, signal, trim)])
      await keep()
    },
  }
}
