import { SITES, type StandingAnswer, type StepDownAnswer } from '../../mesh/sites.ts'
import { type Clock, pause, steady } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { Steps } from '../../registry/steps.ts'
import type { Database } from '../../schema/database.ts'
import { promotePair } from '../../schema/mirror/promote.ts'
import { SITE_RETRY_FIRST_MS, SITE_RETRY_LAST_MS, STEP_DOWN_ANSWER_MS, STEP_DOWN_MS } from './limits.ts'
import type { Standing } from './standing.ts'
import type { SiteTalk } from './talk.ts'

export interface PromoteOptions {
  readonly db: Database
  readonly standing: Standing
  readonly talk: SiteTalk
  readonly clock: Clock
  readonly log: Log
  readonly steps: Steps
  /** Ends the following of the primary; resolves when nothing of it is under way. */
  readonly unfollow: () => Promise<void>
  /** Begins it again: this site stays a standby. */
  readonly follow: () => void
}

export interface Promotion {
  readonly epoch: number
  /** Whether the primary was there and stepped down, so that everything it had acknowledged is here. */
  readonly handedOver: boolean
  /** How long this site waited for its primary's lease to end, in milliseconds. */
  readonly waitedMs: number
  /** How old the oldest change could be that is lost, in milliseconds; 0: none is. */
  readonly lostMs: number
}

/**
 * Makes a standby the primary. One that can be reached steps down first, and is followed to its end. One that cannot has stopped by itself when
 * its lease is over, which is waited for; unless it goes on without its standby, and then only `gone` lets this site take over: the word of
 * somebody who has seen to it that it writes no more.
 * @throws RegistryError 412 when this site is no standby, or has not everything yet, or would make two primaries
 */
export async function promote(options: PromoteOptions, actor: string, gone: boolean): Promise<Promotion> {
  const { db, standing, clock, log, steps, unfollow, follow } = options
  const { pair, peer } = standing
  if (pair?.role !== 'standby' || peer === undefined) throw precondition('Only a standby can be promoted. See which site is one: atoll dr status')
  if (pair.filling !== undefined)
    throw precondition('This standby does not have everything yet, and cannot take over. See how far it is: atoll dr status')
  const handedOver = await handOver(options)
  if (!handedOver && pair.away === 'continue' && !gone) {
    throw precondition(
      `${peer.name} does not answer, and is set to go on without its standby: it may still take writes. Make sure that it is down, then promote with --primary-is-gone.`,
    )
  }
  if (handedOver) steps('promote: stepped down there')
  const lostMs = handedOver ? 0 : lost(standing, clock)
  await unfollow()
  try {
    const begun = steady(clock)
    // Nobody can make it shorter than what was promised.
    while (!handedOver && standing.vow.remaining > 0) await pause(clock, standing.vow.remaining)
    steps('promote: nobody writes')
    const waitedMs = handedOver ? 0 : steady(clock) - begun
    const epoch = standing.epoch + 1
    await standing.change(
      (now) => ({
        ...now,
        role: 'primary',
        epoch,
        mirroring: false,
        guarded: false,
        tookOverAt: standing.reached,
        peerFenced: handedOver,
      }),
      (next) => promotePair(db, next, { actor, detail: { epoch, handedOver, waitedMs: Math.round(waitedMs) } }),
    )
    steps('promote: promoted')
    log.warn({ epoch, handedOver, waitedMs }, 'This site is the primary now.')
    return { epoch, handedOver, waitedMs, lostMs }
  } finally {
    follow()
  }
}

/** Asks the primary to write no more, and follows it to its end. False: it does not answer. */
async function handOver({ standing, talk, clock }: PromoteOptions): Promise<boolean> {
  const { peer } = standing
  if (peer === undefined) return false
  let end: number
  try {
    end = (await talk.ask<StepDownAnswer>(peer, SITES.stepDown, {}, { ms: STEP_DOWN_ANSWER_MS })).body.head
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'UNAVAILABLE') return false
    throw error
  }
  const deadline = steady(clock) + STEP_DOWN_MS
  while (standing.reached < end) {
    // It writes no more, and everything up to here is its own: what is missing is quarantined when it rejoins.
    if (steady(clock) > deadline) return false
    await pause(clock, SITE_RETRY_FIRST_MS)
  }
  return true
}

function lost({ contact }: Standing, clock: Clock): number {
  // Of what happened at the primary since it was last heard nothing is known.
  return contact.heardAt === undefined ? contact.behindMs : contact.behindMs + (steady(clock) - contact.heardAt)
}

/** Tells the primary before, until it has heard. Never rejects. */
export async function fencePeer(
  { standing, talk, clock, log, steps }: Pick<PromoteOptions, 'standing' | 'talk' | 'clock' | 'log' | 'steps'>,
  signal: AbortSignal,
): Promise<void> {
  for (let wait = SITE_RETRY_FIRST_MS; !signal.aborted; wait = Math.min(wait * 2, SITE_RETRY_LAST_MS)) {
    const { pair, peer } = standing
    if (pair?.role !== 'primary' || pair.peerFenced || peer === undefined) return
    try {
      await talk.ask<StandingAnswer>(peer, SITES.fence, {}, { signal })
      steps('promote: fenced there')
      await standing.change((now) => (now.role === 'primary' ? { ...now, peerFenced: true } : undefined))
      log.info({ peer: peer.name }, 'The primary before knows that this site has taken over.')
    } catch (error) {
      log.debug({ err: error }, 'The primary before does not answer.')
    }
    await pause(clock, wait, signal).catch(() => undefined)
  }
}

/** A primary that has its standby's word only asks whether that one has taken over, until it has heard it. Never rejects. */
export async function askPeer(
  { standing, talk, clock, log }: Pick<PromoteOptions, 'standing' | 'talk' | 'clock' | 'log'>,
  signal: AbortSignal,
): Promise<void> {
  for (let wait = SITE_RETRY_FIRST_MS; !signal.aborted; wait = Math.min(wait * 2, SITE_RETRY_LAST_MS)) {
    const { pair, peer } = standing
    if (pair?.role !== 'primary' || !pair.guarded || peer === undefined) return
    if (!standing.lease.held) {
      try {
        const { epoch } = await talk.ask<StandingAnswer>(peer, SITES.standing, {}, { signal })
        await standing.supersededBy(epoch)
      } catch (error) {
        log.debug({ err: error }, 'The standby does not answer.')
      }
    } else wait = SITE_RETRY_FIRST_MS
    await pause(clock, wait, signal).catch(() => undefined)
  }
}

export function precondition(message: string): RegistryError {
  return new RegistryError('UNSUPPORTED', message, undefined, { status: 412 })
}
