import type { Secrets } from '../services.ts'
import type { Standing } from './standing.ts'

/** What the keys of other sites for robots' secrets are kept for. */
export const peerKeyPurpose = 'robot secrets of the peer'

/** The keys of other sites for robots' secrets: with them, the secrets that they gave out are known here. */
export async function peerRobotKeys(standing: Pick<Standing, 'pair'>, secrets: Pick<Secrets, 'unseal'>): Promise<readonly Buffer[]> {
  const sealed = standing.pair?.sealedPeerKeys ?? []
  return await Promise.all(sealed.map(async (one) => Buffer.from(await secrets.unseal(one, peerKeyPurpose), 'base64url')))
}
