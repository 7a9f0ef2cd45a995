import type { Registry } from '../registry.ts'
import type { RepositoryName } from '../spec/names.ts'
import type { Budget } from './budget.ts'

/** Where a pull-through gets what it does not have. A RemoteRegistry has `with`. */
export interface Source {
  /**
   * Which registry it is, seen with which rights: [A-Za-z0-9_.:@-]+. What is known of tags and rights is kept under it, and fills are shared by it,
   * so two sources with one id must give the same answers.
   */
  readonly id: string
  /** For people: `docker.io`. */
  readonly name: string
  /** The source for one caller. */
  with(signal?: AbortSignal): Registry
  /** What the source calls a repository of ours; by default the same. */
  readonly nameAt?: (name: RepositoryName) => RepositoryName
  /** Learns how it wants to be asked, before anybody has to wait for that. @throws RegistryError when it does not answer */
  readonly acquaint?: (signal: AbortSignal) => Promise<void>
  /** How often it may be asked; whoever asks tells it what the answers say. By default nothing is known. */
  readonly budget?: Budget
}
