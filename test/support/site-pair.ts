import type { SitePair } from '../../schema/mirror/pair.ts'

const self = { id: 'a', name: 'a', url: 'http://a', signing: {}, encryption: {} }
/** How a primary stands whose standby is called b. */
export const pair: SitePair = {
  self,
  sealedKeys: '',
  role: 'primary',
  epoch: 1,
  peer: { ...self, id: 'b' },
  former: undefined,
  sealedPeerKeys: [],
  invitation: undefined,
  issuer: 'atoll',
  away: 'stop',
  leaseMs: 10_000,
  mirroring: true,
  guarded: false,
  filling: undefined,
  tookOverAt: undefined,
  peerFenced: false,
}
/** The same of a standby that is being filled. */
export const filling = { ...pair, role: 'standby', filling: { done: 0, after: undefined, wholeAt: undefined } } as const
