import { setting } from './define.ts'
import { duration } from './kinds.ts'

/** The same for origins and edges. */
export const SHUTDOWN_DELAY = setting(
  duration(0, 3_600),
  0,
  'How long a server that is told to stop goes on answering while `/readyz` says 503, so that load balancers turn to others first, for instance `10s`. Then it takes no new requests and ends those in progress.',
)
