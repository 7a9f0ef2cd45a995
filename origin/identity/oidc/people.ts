import { numberOf } from '../../../policy/subjects.ts'
import { pause, systemClock } from '../../../registry/clock.ts'
import type { Log } from '../../../registry/log.ts'
import type { Database } from '../../../schema/database.ts'
import { beginOidcCheck, endOidcCheck, type OidcLink, oidcLinkOf, setCliSecret } from '../../../schema/oidc-links.ts'
import type { Session } from '../../../schema/sessions.ts'
import { findUserByUsername, type User } from '../../../schema/users.ts'
import type { LiveSettings } from '../../config/live.ts'
import type { Secrets } from '../../services.ts'
import { isCliSecret, sealCliSecret, unsealCliSecret } from './cli-secrets.ts'
import type { OidcFlows } from './flows.ts'

/** How long a CLI secret works before the provider is asked again whether it still knows its owner. */
const ASK_AGAIN_MS = 5 * 60_000

/** How long one process may ask before another does: longer than the provider is given to answer everything that it is asked. */
const CHECK_MS = 45_000
const LOOK_AGAIN_MS = 100

/** An id that no user has. */
const NOBODY = 0

/** People of an OpenID provider, as far as nobody has to talk to it: where logins by OpenID are off, its library is never loaded. */
export class OidcPeople {
  readonly #db: Database
  readonly #live: LiveSettings
  readonly #secrets: Secrets
  readonly #log: Log
  #flows: Promise<OidcFlows> | undefined
  /** Whom the provider is being asked for, by their ids. */
  readonly #checks = new Map<number, Promise<boolean>>()
  /** A sealed secret that nobody has. */
  #nobodys: Promise<string> | undefined

  constructor(db: Database, live: LiveSettings, secrets: Secrets, log: Log) {
    this.#db = db
    this.#live = live
    this.#secrets = secrets
    this.#log = log
  }

  flows(): Promise<OidcFlows> {
    this.#flows ??= import('./flows.ts').then(({ OidcFlows }) => new OidcFlows(this.#db, this.#live, this.#secrets, this.#log))
    return this.#flows
  }

  /** The name of the account whose CLI secret this is, if the provider still knows its owner; undefined: it is nobody's. @throws ProviderError */
  async login(name: string, secret: string): Promise<string | undefined> {
    if ((await this.#live.get('auth_mode')) !== 'oidc_auth') return undefined
    const user = await findUserByUsername(this.#db, name)
    const link = await oidcLinkOf(this.#db, user?.id ?? NOBODY)
    // Who is not here, or of no provider, costs what who has another secret costs.
    this.#nobodys ??= sealCliSecret(this.#secrets)
    const right = await isCliSecret(this.#secrets, link?.sealedSecret ?? (await this.#nobodys), secret)
    if (user === undefined || link === undefined || !right) return undefined
    return (await this.#stillKnown(user, link)) ? user.username : undefined
  }

  /** Whether he (`user:3`) is of a provider: then his secret here is for clients only. */
  async knows(principalId: string): Promise<boolean> {
    return (await oidcLinkOf(this.#db, numberOf(principalId))) !== undefined
  }

  /** Whether this is still the CLI secret of a user who has one; of others nothing can be said here. */
  async stillRight(name: string, secret: string): Promise<boolean> {
    const user = await findUserByUsername(this.#db, name)
    const link = user && (await oidcLinkOf(this.#db, user.id))
    return link === undefined || (await isCliSecret(this.#secrets, link.sealedSecret, secret))
  }

  /** What a user logs in with from the command line; undefined: he is of no provider. */
  async cliSecret(userId: number): Promise<{ readonly link: OidcLink; readonly secret: string } | undefined> {
    const link = await oidcLinkOf(this.#db, userId)
    return link && { link, secret: await unsealCliSecret(this.#secrets, link.sealedSecret) }
  }

  /** Sets it, or makes a new one. False: he is of no provider. */
  async setCliSecret(userId: number, secret: string | undefined, actor: string): Promise<boolean> {
    return await setCliSecret(this.#db, userId, await sealCliSecret(this.#secrets, secret), actor)
  }

  /** Where a browser logs out at the provider; undefined: it stays logged in there. @throws ProviderError */
  async logoutUrl({ sealedIdToken }: Session, postLogout: string): Promise<URL | undefined> {
    const { oidc_logout, auth_mode } = await this.#live.all()
    if (sealedIdToken === null || !oidc_logout || auth_mode !== 'oidc_auth') return undefined
    return await (await this.flows()).logoutUrl(sealedIdToken, postLogout)
  }

  /** However many log in at once, the provider is asked once. */
  async #stillKnown(user: User, link: OidcLink): Promise<boolean> {
    if (!this.#isDue(link)) return true
    const under = this.#checks.get(user.id)
    if (under !== undefined) return await under
    const check = this.#check(user, link).finally(() => this.#checks.delete(user.id))
    this.#checks.set(user.id, check)
    return await check
  }

  /** Without a refresh token there is nothing to ask with: the secret works until somebody ends the account here. */
  #isDue(link: OidcLink): link is OidcLink & { readonly sealedRefreshToken: string } {
    return link.sealedRefreshToken !== null && this.#db.clock.now() - link.checkedAt >= ASK_AGAIN_MS
  }

  /** Waits while another process asks, which is over at the end of its time. */
  async #check(user: User, known: OidcLink): Promise<boolean> {
    for (let link: OidcLink | undefined = known; link !== undefined; link = await oidcLinkOf(this.#db, user.id)) {
      if (!this.#isDue(link)) return true
      if (await beginOidcCheck(this.#db, link, CHECK_MS)) {
        try {
          return await (await this.flows()).stillKnown(user, link)
        } finally {
          await endOidcCheck(this.#db, user.id)
        }
      }
      await pause(systemClock, LOOK_AGAIN_MS)
    }
    return false
  }
}
