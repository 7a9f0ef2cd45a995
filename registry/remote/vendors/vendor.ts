import type { RepositoryName } from '../../spec/names.ts'
import type { Api } from '../api.ts'

/** How one make of registry differs from the specification. */
export interface Vendor {
  /** Harbor's name for the type of endpoint: `docker-hub`, `quay`, `harbor`, `docker-registry`, `atoll`. */
  readonly type: string
  /** The address of its registry API, for the address that a person typed. */
  base(typed: URL): URL
  /** What it calls a repository that our users call `name`. */
  repository(name: RepositoryName): string
  /** Hosts of its token service besides the registry's relatives. */
  readonly tokenHosts: readonly string[]
  /** Makes the place for a repository, where that must be there before a push. */
  prepare?(api: Api, name: RepositoryName): Promise<void>
}
