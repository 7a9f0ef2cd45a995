import { bytes } from './bytes.ts'
import { setting } from './define.ts'
import { integer } from './kinds.ts'

const MOST = 1_000_000

/** How much is moved at once, and for whom: the same for origins and edges. */
export const TRANSFER_SETTINGS = {
  max: setting(
    integer(0, MOST),
    1_024,
    'How many blobs come and go at once; more wait their turn, one client after the other. Manifests, tags and tokens never wait. 0: no limit.',
  ),
  perClient: setting(integer(0, MOST), 512, 'How many of them one client (a network address) may have. 0: no limit.'),
  perProject: setting(integer(0, MOST), 768, 'How many of them one project may have. 0: no limit.'),
  waiting: setting(integer(0, MOST), 1_024, 'How many may wait; the next gets 503 with `Retry-After`. 0: nobody waits.'),
  clientRate: setting(bytes, 0, 'How many bytes of blobs one client gets in a second, for instance `50M`. 0: no limit.'),
  projectRate: setting(bytes, 0, 'How many bytes of blobs are given out of one project in a second. 0: no limit.'),
} as const
