import { type BeatAnswer, SITES } from '../../mesh/sites.ts'
import { type Clock, every } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import { askPrimary } from './ask-primary.ts'
import { BEAT_ANSWER_MS, BEAT_LOOK_MS } from './limits.ts'
import type { Pulse } from './pulse.ts'
import type { Standing } from './standing.ts'
import type { SiteTalk } from './talk.ts'

export interface BeatsOptions {
  readonly standing: Standing
  readonly talk: SiteTalk
  readonly clock: Clock
  readonly log: Log
}

/**
 * Lets the primary hear its standby while that one asks for nothing: bytes are on their way, there is no room for them, or something else is in
 * the way. Until the signal; never rejects.
 */
export async function keepBeating(options: BeatsOptions, pulse: Pulse, signal: AbortSignal): Promise<void> {
  const { standing, clock, log } = options
  await every(clock, BEAT_LOOK_MS, signal, async () => {
    if (!pulse.due) return
    try {
      const answer = await askPrimary<BeatAnswer>(options, SITES.beat, pulse.word(), { signal, ms: BEAT_ANSWER_MS })
      standing.heard()
      Object.assign(standing.contact, { head: answer.head, behindMs: answer.behindMs })
      pulse.take(answer)
    } catch (error) {
      // Whoever follows says so, too, and where people look.
      log.debug({ err: error }, 'The primary does not answer.')
    }
  })
}
