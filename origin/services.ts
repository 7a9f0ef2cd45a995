import type { Decision } from '../policy/decide.ts'
import type { Principal, ProjectFacts, Target } from '../policy/facts.ts'
import type { BlobStore } from '../registry/blob-store.ts'
import type { Clock } from '../registry/clock.ts'
import type { Log } from '../registry/log.ts'
import type { Registry } from '../registry/registry.ts'
import type { Passwords } from '../runtime/credentials/passwords.ts'
import type { Database } from '../schema/database.ts'
import type { LiveSettings } from './config/live.ts'
import type { OriginConfig } from './config/settings.ts'
import type { DirectoryPeople } from './identity/ldap/people.ts'
import type { OidcPeople } from './identity/oidc/people.ts'
import type { Sessions } from './identity/sessions/sessions.ts'

/**
 * What the rooms of an origin share. app.ts makes it once and hands it to each room's constructor; a room asks for the part it needs
 * (`Pick<OriginServices, 'db' | 'clock'>`), so that its tests need no more than that.
 */
export interface OriginServices {
  readonly config: OriginConfig
  /** What may change while we run; `config` has only what it was at the start. */
  readonly live: LiveSettings
  readonly db: Database
  readonly log: Log
  readonly clock: Clock
  /** A new unguessable id of [a-z0-9-]. */
  readonly newId: () => string
  readonly secrets: Secrets
  readonly passwords: Passwords
  readonly robotSecrets: RobotSecrets
  /** Those of an LDAP directory. */
  readonly people: DirectoryPeople
  /** Logins by an OpenID provider. */
  readonly oidc: OidcPeople
  /** Logins by browser. */
  readonly sessions: Sessions
  /**
   * Who sends this request: Basic (a user or a robot), Bearer (a token of ours), an edge's proof, or nobody: ANONYMOUS.
   * Reads the current facts: a disabled account is refused at its next request.
   * @throws RegistryError UNAUTHORIZED when a credential is given and wrong, TOOMANYREQUESTS after too many guesses
   */
  authenticate(request: Request): Promise<Principal>
  /** The decision on the current facts. `project`: its name, or its id; undefined for what belongs to the system and no project. */
  decide(principal: Principal, target: Target, project: string | number | undefined): Promise<Decision>
  /**
   * As `decide`, and throws where it refuses.
   * @throws RegistryError UNAUTHORIZED (401: log in first), DENIED (403)
   */
  authorize(principal: Principal, target: Target, project: string | number | undefined): Promise<void>
  /** Current facts of a project; undefined: there is none. */
  projectFacts(project: string | number): Promise<ProjectFacts | undefined>
  /** The registry as this principal sees it: what it may not see or do is refused there. For copying and deleting artifacts through the API. */
  registryFor(principal: Principal): Registry
  /** The same without a gate, for reading what a route's guard has allowed already. */
  readonly registry: Registry
  /** The bytes of blobs, whoever has them: for those that a manifest names which a route's guard has allowed already. */
  readonly blobs: Pick<BlobStore, 'open' | 'bytes'>
  /** The URL that the sender of this request knows us by, without a trailing slash. */
  baseUrl(request: Request): string
  health(): Promise<Health>
}

/** Seals secrets for rest (AES-256-GCM under the secret key). `purpose` binds what is sealed to its place: `endpoint:12` opens only as `endpoint:12`. */
export interface Secrets {
  seal(secret: string, purpose: string): Promise<string>
  /** @throws when it was not sealed by this key for this purpose */
  unseal(sealed: string, purpose: string): Promise<string>
}

/** Secrets of robots: made here, with so much entropy that a fast keyed hash keeps them. */
export interface RobotSecrets {
  /** The secret to show once, and the hash to keep. */
  create(): Promise<{ readonly secret: string; readonly hash: string }>
  /** The hash of a secret that somebody chose (Harbor lets an administrator set one). */
  hash(secret: string): Promise<string>
  verify(secret: string, hash: string): Promise<boolean>
}

export interface Health {
  readonly healthy: boolean
  /** Whether images can be pushed and pulled here. */
  readonly ready: boolean
  readonly components: readonly ComponentHealth[]
}

export interface ComponentHealth {
  /** As Harbor names them: core, database, redis (the queue and the cache), registry, registryctl, jobservice, portal. */
  readonly name: string
  readonly healthy: boolean
  /** What is wrong, for a person. */
  readonly error?: string
}
