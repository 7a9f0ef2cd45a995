import { SITES } from '../../mesh/sites.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { partPair } from '../../schema/mirror/part.ts'
import type { SitesRoom } from './open.ts'
import { precondition } from './promote.ts'

/**
 * Ends the pair at both sites: each goes on as an origin of its own. `gone`: the word of somebody who has seen to it that the other, which does not
 * answer, does not come back as one of this pair. Resolves with whether the other has parted, too.
 * @throws RegistryError 412 when the other does not answer, or one of them does not have everything yet
 */
export async function unpair(room: SitesRoom, actor: string, gone: boolean): Promise<boolean> {
  const { standing, talk } = room
  const { peer, role } = standing
  if (peer === undefined) throw precondition('This site is not one of a pair.')
  checkWhole(room)
  let both = true
  try {
    await talk.ask(peer, SITES.part, {})
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error
    if (error.status === 412) throw error
    if (role === 'standby') {
      throw precondition(
        `${peer.name} does not answer, and would go on as the primary of this site. Promote this one first (atoll dr promote), then unpair it.`,
      )
    }
    if (!gone) {
      throw precondition(
        `${peer.name} does not answer. Make sure that it does not come back as the other site of this pair, then unpair with --other-is-gone.`,
      )
    }
    both = false
  }
  await part(room, actor)
  return both
}

/** This site's half. The primary keeps its edges, and what its tokens are signed with; the other one has its own from here on. */
export async function part(room: SitesRoom, actor: string): Promise<void> {
  const { standing, db, ownIssuer, newSigningKey, forget, log } = room
  const { peer, role } = standing
  if (peer === undefined) return
  checkWhole(room)
  const key = role === 'primary' ? undefined : await newSigningKey()
  await standing.change(
    (pair) => ({
      ...pair,
      role: 'primary',
      peer: undefined,
      former: peer,
      issuer: key === undefined ? pair.issuer : ownIssuer,
      mirroring: false,
      guarded: false,
      filling: undefined,
      tookOverAt: undefined,
      peerFenced: true,
    }),
    (pair) => partPair(db, pair, { actor, other: peer.name, key }),
  )
  await forget()
  log.warn({ other: peer.name }, 'This site is no longer one of two.')
}

function checkWhole({ standing }: SitesRoom): void {
  if (standing.role === 'standby' && standing.pair?.filling !== undefined) {
    throw precondition(
      `${standing.pair.self.name} does not have everything yet, and cannot go on by itself. Wait until it follows: atoll dr status. Or stop it for good, and unpair the other site with --other-is-gone.`,
    )
  }
}
