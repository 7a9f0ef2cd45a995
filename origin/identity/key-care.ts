import type { Clock } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import type { KeyRing } from './key-ring.ts'

/** How often it is looked whether the keys need something, in milliseconds. */
const LOOK_EVERY_MS = 3_600_000

export interface KeyCareOptions {
  readonly keys: Pick<KeyRing, 'tend'>
  /** Whether this site may write now; while it may not, the keys are somebody else's to look after. */
  readonly may: () => boolean
  /** How long a key signs, in milliseconds. */
  readonly lifetime: number
  readonly clock: Clock
  readonly log: Log
}

/** Rotates the keys when their time has come, for as long as the origin runs. */
export function tendKeys({ keys, may, lifetime, clock, log }: KeyCareOptions): { stop(): void } {
  let stopped = false
  const look = () => {
    if (may()) {
      keys.tend(lifetime).catch((error: unknown) => {
        if (!stopped) log.error({ err: error }, 'The signing keys could not be looked after; it is tried again in an hour.')
      })
    }
    cancel = clock.after(LOOK_EVERY_MS, look)
  }
  let cancel = clock.after(LOOK_EVERY_MS, look)
  return {
    stop: () => {
      stopped = true
      cancel()
    },
  }
}
