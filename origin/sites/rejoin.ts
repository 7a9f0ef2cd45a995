import { SITES, type StandingAnswer } from '../../mesh/sites.ts'
import type { RegistryError } from '../../registry/spec/errors.ts'
import { BEGINNING } from './follow.ts'
import type { SitesRoom } from './open.ts'
import { precondition } from './promote.ts'
import { type Quarantined, quarantine } from './quarantine.ts'

/** How a site that comes back is doing. */
export interface Rejoining extends Quarantined {
  state: 'quarantining' | 'filling' | 'failed'
  problem: RegistryError | undefined
}

/** Where the old primary stands to the new one. @throws RegistryError 412 when there is no new one */
export async function findSuccessor(room: SitesRoom): Promise<{ readonly epoch: number; readonly tookOverAt: number }> {
  const { standing, talk } = room
  const { peer, role } = standing
  if (peer === undefined || role === 'standby')
    throw precondition('Only a site that was the primary can rejoin. See which one is what: atoll dr status')
  const { epoch, body } = await talk.ask<StandingAnswer>(peer, SITES.standing, {})
  await standing.supersededBy(epoch)
  if (standing.role !== 'fenced' || body.role !== 'primary' || epoch <= standing.epoch || body.tookOverAt === undefined) {
    throw precondition(`${peer.name} has not taken over from this site: there is nothing to rejoin. See: atoll dr status`)
  }
  return { epoch, tookOverAt: body.tookOverAt }
}

/** Puts what only this site has into quarantine at the new primary, and becomes its standby. Broken off anywhere, it is begun again. */
export async function rejoin(
  room: SitesRoom,
  successor: { readonly epoch: number; readonly tookOverAt: number },
  progress: Rejoining,
): Promise<void> {
  const { standing, log, steps } = room
  const { peer } = standing
  if (peer === undefined) throw precondition('This site has no other.')
  await quarantine(room, peer, successor.tookOverAt, progress)
  log.info({ artifacts: progress.artifacts, bytes: progress.bytes }, 'What only this site had is in quarantine.')
  steps('rejoin: quarantined')
  progress.state = 'filling'
  await standing.change((pair) => ({
    ...pair,
    role: 'standby',
    epoch: successor.epoch,
    filling: BEGINNING,
    mirroring: false,
    guarded: false,
    tookOverAt: undefined,
    peerFenced: true,
  }))
  steps('rejoin: standby')
}
