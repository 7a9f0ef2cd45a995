import { createHash, randomBytes } from 'node:crypto'
import { decodeJwt } from 'jose'
import { z } from 'zod'
import { type JoinAnswer, type JoinRequest, SITES, type SiteCard, type SiteMessage, verifySiteMessage } from '../../mesh/sites.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { sameSecret } from '../../runtime/credentials/same.ts'
import { holdsArtifacts } from '../../schema/mirror/emptiness.ts'
import type { SitePair } from '../../schema/mirror/pair.ts'
import { announcePair } from '../../schema/mirror/promote.ts'
import { tablesInShort } from '../../schema/mirror/treatment.ts'
import { BEGINNING } from './follow.ts'
import { makeSiteKeys, openSiteKeys, sealFor } from './keys.ts'
import { INVITATION_MS, LEASE_MS } from './limits.ts'
import type { SitesRoom } from './open.ts'
import { precondition } from './promote.ts'
import { peerKeyPurpose, peerRobotKeys } from './robot-keys.ts'

/** An Ed25519 or X25519 public key; what else it may bring along is dropped, a private half above all. */
const publicKey = (crv: 'Ed25519' | 'X25519') =>
  z.object({ kty: z.literal('OKP'), crv: z.literal(crv), x: z.string().regex(/^[A-Za-z0-9_-]{43}$/), kid: z.string().max(64) })

export const siteCard = z.object({
  id: z.string().min(1).max(64),
  name: z.string().min(1).max(64),
  url: z.url({ protocol: /^https?$/ }).max(2048),
  signing: publicKey('Ed25519'),
  encryption: publicKey('X25519'),
})

export const joinRequest = z.object({ token: z.string().min(1).max(256), site: siteCard, tables: z.string().max(128) })
const joinAnswer = z.object({
  site: siteCard,
  issuer: z.string().max(2048),
  away: z.enum(['stop', 'continue']),
  leaseMs: z.number().int().min(1_000).max(600_000),
  robotKeys: z.array(z.string().max(4096)).min(1).max(1_000),
})

/** Makes the one-time token with which another site becomes the standby of this one. */
export async function invite(room: SitesRoom, site: { readonly name: string; readonly url: string }): Promise<{ token: string; expiresAt: number }> {
  const { standing, clock } = room
  checkDatabase(room)
  if (standing.role !== 'alone' && (standing.role !== 'primary' || standing.pair?.mirroring === true))
    throw precondition('This site has its other already. See it: atoll dr status')
  if (site.name === standing.peer?.name) throw sameName(site.name)
  const token = randomBytes(32).toString('base64url')
  const expiresAt = clock.now() + INVITATION_MS
  const invitation = { hash: hashOf(token), expiresAt }
  const pair = standing.pair ?? (await newPair(room, site))
  await standing.begin({ ...pair, self: { ...pair.self, ...site }, invitation })
  return { token, expiresAt }
}

/** Takes the token, once: who brings it is the standby from here on. The message is signed by the very key that it brings. @throws RegistryError UNAUTHORIZED */
export async function admit(room: SitesRoom, jws: string): Promise<{ readonly answer: JoinAnswer; readonly nonce: string }> {
  const { standing, clock, secrets, robotKey, db } = room
  const claimed = joinRequest.safeParse(bodyOf(jws))
  if (!claimed.success) throw refused()
  const { token, site, tables } = claimed.data
  const message = await verifySiteMessage(jws, { from: site.id, path: SITES.join, key: site.signing, now: clock.now() })
  const next = await standing.change(
    (pair) => {
      const { invitation } = pair
      if (invitation === undefined || !sameSecret(invitation.hash, hashOf(token)) || invitation.expiresAt <= clock.now()) throw refused()
      if (site.id === pair.self.id) throw precondition('A site cannot be the standby of itself.')
      if (site.name === pair.self.name) throw sameName(site.name)
      if (tables !== tablesInShort()) throw precondition('The two sites run different versions. Install the same at both, then pair them.')
      return { ...pair, peer: site, former: undefined, invitation: undefined, mirroring: false, guarded: false, peerFenced: true }
    },
    (pair) => announcePair(db, pair),
  )
  const { self, issuer, away, leaseMs } = next
  const keys = [robotKey, ...(await peerRobotKeys(standing, secrets))]
  const robotKeys = await Promise.all(keys.map((key) => sealFor(site.encryption, key.toString('base64url'))))
  const answer = { site: self, issuer, away, leaseMs, robotKeys }
  return { answer, nonce: message.nonce }
}

/** Makes this site the standby of the one that gave the token: everything here gives way to what is there. @throws RegistryError 412 when something would be lost */
export async function join(
  room: SitesRoom,
  site: { readonly name: string; readonly url: string },
  primary: string,
  token: string,
): Promise<SiteCard> {
  const { standing, talk, secrets, db } = room
  if (standing.peer !== undefined) throw precondition('This site has its other already. See it: atoll dr status')
  if (await holdsArtifacts(db)) {
    throw precondition('This site holds artifacts, which would give way to those of its primary. Only an empty site can become a standby.')
  }
  checkDatabase(room)
  const known = standing.pair ?? (await newPair(room, site))
  const pair = { ...known, self: { ...known.self, ...site } }
  // Nothing is written down until the other has taken it: a refusal leaves this site as it was.
  const keys = await openSiteKeys(pair.sealedKeys, secrets)
  const question: JoinRequest = { token, site: pair.self, tables: tablesInShort() }
  const jws = await talk.introduce({ id: pair.self.id, epoch: pair.epoch, keys }, primary, SITES.join, question)
  const answer = joinAnswer.parse(bodyOf(jws))
  await verifySiteMessage(jws, { from: answer.site.id, path: SITES.join, key: answer.site.signing })
  const { issuer, away, leaseMs } = answer
  const sealedPeerKeys = await Promise.all(answer.robotKeys.map(async (key) => await secrets.seal(await keys.open(key), peerKeyPurpose)))
  const terms = { sealedPeerKeys, issuer, away, leaseMs, invitation: undefined, former: undefined }
  await standing.begin({ ...pair, ...terms, role: 'standby', epoch: 1, peer: answer.site, filling: BEGINNING })
  return answer.site
}

async function newPair(room: SitesRoom, site: { readonly name: string; readonly url: string }): Promise<SitePair> {
  const { signing, encryption, sealed } = await makeSiteKeys(room.secrets)
  return {
    self: { id: room.newId(), ...site, signing, encryption },
    sealedKeys: sealed,
    role: 'primary',
    epoch: 1,
    peer: undefined,
    former: undefined,
    sealedPeerKeys: [],
    invitation: undefined,
    issuer: room.ownIssuer,
    away: 'stop',
    leaseMs: LEASE_MS,
    mirroring: false,
    guarded: false,
    filling: undefined,
    tookOverAt: undefined,
    peerFenced: true,
  }
}

function checkDatabase({ db }: SitesRoom): void {
  if (!db.embedded)
    throw precondition(
      'A pair of sites keeps its rows in step by triggers in a file of its own, and this site has its database at a server. Keep a second site there by the means of that server.',
    )
}

/** What a message says before anything of it is believed. */
function bodyOf(jws: string): unknown {
  try {
    return (decodeJwt(jws) as unknown as SiteMessage<unknown>).body
  } catch (cause) {
    throw new RegistryError('UNSUPPORTED', 'This is no message between sites.', undefined, { status: 400, cause })
  }
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}

function sameName(name: string): RegistryError {
  return precondition(`Both sites would be called ${name}. Give this one another name: atoll dr pair --name NAME`)
}

function refused(): RegistryError {
  return new RegistryError('UNAUTHORIZED', 'This token is not known, was used already, or has expired. Make a new one: atoll dr pair')
}
