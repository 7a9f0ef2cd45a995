import type { RepositoryName, Tag } from '../../spec/names.ts'
import type { Page, Slice } from '../../spec/pages.ts'
import type { Authorizer, Credentials } from '../authorizer.ts'
import type { ChallengeAuthorizerOptions } from '../challenge-authorizer.ts'
import type { Client } from '../client.ts'
import type { Transport } from '../transport.ts'

/** How one make of registry differs from the specification. */
export interface Vendor {
  /** Harbor's name for the type of endpoint: `docker-hub`, `quay`, `harbor`, `docker-registry`; and ours: `atoll`. */
  readonly type: string
  /** The address of its registry API, for the address that a person typed. */
  base(typed: URL): URL
  /** What it calls a repository that our users call `name`. */
  repository(name: RepositoryName): string
  /** Hosts of its token service besides the registry's relatives. */
  readonly tokenHosts: readonly string[]
  /** It is a site of ours, and moves deltas (registry/delta). */
  readonly deltas?: true
  /** It may be an Atoll, which tells us, and is told, when and where a tag was set. */
  readonly versions?: boolean
  /** What it wants done in its own way: logging in, making the place for a push, listing. Absent: all as the specification says. */
  open?(context: VendorContext): VendorSession
  /** Where its registry API is, for those that must be asked. */
  locate?(context: VendorContext, signal?: AbortSignal): Promise<URL>
}

/** What a vendor's file is given: one endpoint, and the means to ask it. */
export interface VendorContext {
  /** As a person typed it. */
  readonly typed: URL
  /** Where the registry's API is. */
  readonly base: URL
  /** undefined: anonymously. */
  readonly credentials: Credentials | undefined
  /** For services of the vendor besides its registry. It adds no credential. */
  readonly transport: Transport
  /** The registry's API, as whom the authorizer says. */
  client(authorizer: Authorizer, signal?: AbortSignal): Client
  /** Meets the registry's challenge; with the endpoint's credentials, unless the options say otherwise. */
  challenge(options?: Pick<ChallengeAuthorizerOptions, 'credentials' | 'refreshToken'>): Authorizer
}

/** One endpoint in use. What is absent is as the specification says. */
export interface VendorSession {
  /** Who we are at the registry's API. */
  readonly authorizer?: Authorizer
  /** Makes the place for a repository, where that must be there before a push. */
  prepare?(name: RepositoryName, signal?: AbortSignal): Promise<void>
  /** A page of its repositories, where that is no `_catalog`. `last` is the last name of the page before, in whatever order it lists. */
  repositories?(page: Page, signal?: AbortSignal): Promise<Slice<RepositoryName>>
  /** Takes a tag away, where a DELETE of the manifest by its tag does not. false: it was not there. */
  deleteTag?(name: RepositoryName, tag: Tag, signal?: AbortSignal): Promise<boolean>
}
