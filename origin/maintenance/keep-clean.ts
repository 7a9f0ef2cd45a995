import { type Clock, pause } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import { FIRST_SWEEP_MS, SWEEP_EVERY_MS } from './limits.ts'
import type { Sweeper } from './sweep.ts'

export interface KeepCleanOptions {
  readonly sweeper: Pick<Sweeper, 'sweep'>
  /** Whether this site may write now; else there is nothing of its own to sweep. */
  readonly may: () => boolean
  readonly clock: Clock
  readonly log: Log
}

/** Sweeps once an hour for as long as the origin runs. It is the origin's own work and no job: only this process knows which uploads it is writing to. */
export function keepClean({ sweeper, may, clock, log }: KeepCleanOptions): { stop(): Promise<void> } {
  const ended = new AbortController()
  const { signal } = ended
  const work = async () => {
    for (let wait = FIRST_SWEEP_MS; ; wait = SWEEP_EVERY_MS) {
      await pause(clock, wait, signal)
      if (!may()) continue
      try {
        const swept = await sweeper.sweep(signal)
        if (swept.uploads + swept.drafts + swept.rows > 0) log.info(swept, 'Swept up what was abandoned or is too old.')
      } catch (error) {
        signal.throwIfAborted()
        log.error({ err: error }, 'A sweep broke off; the next one is in an hour.')
      }
    }
  }
  const done = work().catch((error: unknown) => {
    if (!signal.aborted) log.error({ err: error }, 'Nothing is swept any more.')
  })
  return {
    stop: async () => {
      ended.abort(new Error('This process is shutting down.'))
      await done
    },
  }
}
