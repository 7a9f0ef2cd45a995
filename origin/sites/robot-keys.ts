import type { Secrets } from '../services.ts'
import type { Standing } from './standing.ts'

/** What the peer's key for robots' secrets is kept for. */
export const peerKeyPurpose = 'robot secrets of the peer'

/** The peer's key for robots' secrets: with it, the secrets that it gave out are known here. undefined: there is no peer. */
export async function peerRobotKey(standing: Standing, secrets: Secrets): Promise<Buffer | undefined> {
  const sealed = standing.pair?.sealedPeerKey
  return sealed === undefined ? undefined : Buffer.from(await secrets.unseal(sealed, peerKeyPurpose), 'base64url')
}
