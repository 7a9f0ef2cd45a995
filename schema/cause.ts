import { AsyncLocalStorage } from 'node:async_hooks'

/** Where a change comes from, for the audit log. */
export interface Cause {
  /** The network address that asked for it. */
  readonly address: string
}

/** The cause of what is being done, as far as it is known: whoever answers requests runs them within it. */
export const cause = new AsyncLocalStorage<Cause>()
