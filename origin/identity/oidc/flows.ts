import { LRUCache } from 'lru-cache'
import * as client from 'openid-client'
import type { Log } from '../../../registry/log.ts'
import { RegistryError } from '../../../registry/spec/errors.ts'
import type { Database } from '../../../schema/database.ts'
import { ensureGroup, OIDC_GROUP, setGroupsOfUser } from '../../../schema/groups.ts'
import { findOidcLink, type OidcLink, onboardLinked, renewOidcLink } from '../../../schema/oidc-links.ts'
import { findUserById, setAdminByGroup, type User } from '../../../schema/users.ts'
import type { LiveSettings } from '../../config/live.ts'
import type { LiveValues } from '../../config/live-settings.ts'
import type { Secrets } from '../../services.ts'
import { asUserName, isUserName, USER_NAME_RULE } from '../user-names.ts'
import { sealCliSecret } from './cli-secrets.ts'
import { filteredGroups } from './group-filter.ts'
import { type Claims, discover, ProviderError, reasonOf } from './provider.ts'

const ACTOR = 'system'
const REFRESH = 'oidc refresh token'
const ID_TOKEN = 'oidc id token'
const GROUPS_LIMIT = 1_000
const UNANSWERED = 10_000

/** What a browser keeps, sealed, while it is at the provider. */
export interface Flow {
  readonly state: string
  readonly nonce: string
  readonly verifier: string
}

/** Somebody whom the provider knows and this system does not yet. */
export interface Newcomer {
  readonly claims: Claims
  readonly refreshToken: string | undefined
  readonly sealedIdToken: string | undefined
  /** What the provider would call him here. */
  readonly suggested: string
}

export type Arrival = { readonly user: User; readonly sealedIdToken: string | undefined } | { readonly newcomer: Newcomer }

/** What is between us and an OpenID provider: the code flow with PKCE (RFC 7636), asking again, logging out. Loads a library; see OidcPeople. */
export class OidcFlows {
  readonly #db: Database
  readonly #live: LiveSettings
  readonly #secrets: Secrets
  #provider: { readonly for: string; readonly configuration: Promise<client.Configuration> } | undefined
  readonly #log: Log
  /** People for whom the provider was asked, and nobody knows whether it did what it was asked. */
  readonly #unanswered = new LRUCache<number, true>({ max: UNANSWERED })

  constructor(db: Database, live: LiveSettings, secrets: Secrets, log: Log) {
    this.#db = db
    this.#live = live
    this.#secrets = secrets
    this.#log = log
  }

  /** Where a browser goes, and what it keeps meanwhile. @throws ProviderError */
  async begin(redirectUri: string): Promise<{ readonly url: URL; readonly flow: Flow }> {
    const settings = await this.#settings()
    const configuration = await this.#configuration(settings)
    const flow = { state: client.randomState(), nonce: client.randomNonce(), verifier: client.randomPKCECodeVerifier() }
    const url = client.buildAuthorizationUrl(configuration, {
      ...extraParameters(settings.oidc_extra_redirect_parms),
      redirect_uri: redirectUri,
      scope: settings.oidc_scope.join(' '),
      state: flow.state,
      nonce: flow.nonce,
      code_challenge: await client.calculatePKCECodeChallenge(flow.verifier),
      code_challenge_method: 'S256',
    })
    return { url, flow }
  }

  /** Takes a browser that comes back. @throws RegistryError UNAUTHORIZED: the provider refused, or this is no answer to `flow`; ProviderError */
  async arrive(callback: URL, flow: Flow): Promise<Arrival> {
    const settings = await this.#settings()
    const configuration = await this.#configuration(settings)
    let tokens: Awaited<ReturnType<typeof client.authorizationCodeGrant>>
    let claims: Claims
    try {
      tokens = await client.authorizationCodeGrant(configuration, callback, {
        expectedState: flow.state,
        expectedNonce: flow.nonce,
        pkceCodeVerifier: flow.verifier,
        idTokenExpected: true,
      })
      claims = await this.#claims(configuration, tokens)
    } catch (error) {
      this.#log.warn({ err: error, reason: reasonOf(error) }, 'The OpenID provider did not log somebody in.')
      throw new RegistryError('UNAUTHORIZED', `The OpenID provider did not log you in: ${reasonOf(error)}`, undefined, { cause: error })
    }
    const sealedIdToken = tokens.id_token === undefined ? undefined : await this.#secrets.seal(tokens.id_token, ID_TOKEN)
    const known = await this.#known(claims, tokens.refresh_token, settings)
    if (known !== undefined) return { user: known, sealedIdToken }
    const suggested = nameIn(claims, settings.oidc_user_claim)
    const newcomer = { claims, refreshToken: tokens.refresh_token, sealedIdToken, suggested }
    if (!settings.oidc_auto_onboard) return { newcomer }
    // He may have come by another window meanwhile.
    const user = (await this.#make(newcomer, suggested, settings)) ?? (await this.#known(claims, tokens.refresh_token, settings))
    if (user === undefined) throw deleted()
    return { user, sealedIdToken }
  }

  /**
   * Makes the newcomer's account. What the provider said of him is good for that once: whoever has an account comes from the provider each time.
   * @throws RegistryError DENIED (409): the name is taken; UNAUTHORIZED: he has an account
   */
  async onboard(newcomer: Newcomer, username: string): Promise<User> {
    const user = await this.#make(newcomer, username, await this.#settings())
    if (user === undefined) throw new RegistryError('UNAUTHORIZED', 'You have an account here already: log in again.')
    return user
  }

  /** Who has an account, with what the provider says of him now. */
  async #known(claims: Claims, refreshToken: string | undefined, settings: LiveValues): Promise<User | undefined> {
    const link = await findOidcLink(this.#db, claims.iss, claims.sub)
    if (link === undefined) return undefined
    const user = await findUserById(this.#db, link.userId)
    if (user === undefined) throw deleted()
    await this.#renew(link, refreshToken)
    return await this.#update(user, claims, settings)
  }

  /** undefined: he has an account. */
  async #make({ claims, refreshToken }: Newcomer, username: string, settings: LiveValues): Promise<User | undefined> {
    if (username === '') {
      const claim = settings.oidc_user_claim
      throw new RegistryError(
        'UNSUPPORTED',
        claim === undefined ? 'Choose a user name.' : `The OpenID provider says no ${claim} of you (oidc_user_claim): ask an administrator.`,
        undefined,
        {
          status: 400,
        },
      )
    }
    if (!isUserName(username)) throw new RegistryError('UNSUPPORTED', `A user name ${USER_NAME_RULE}.`, undefined, { status: 400 })
    const email = typeof claims.email === 'string' ? claims.email : undefined
    const realname = typeof claims.name === 'string' ? claims.name : undefined
    const link = {
      issuer: claims.iss,
      subject: claims.sub,
      sealedSecret: await sealCliSecret(this.#secrets),
      sealedRefreshToken: refreshToken === undefined ? null : await this.#secrets.seal(refreshToken, REFRESH),
      checkedAt: this.#db.clock.now(),
    }
    const id = await onboardLinked(this.#db, { username, email, realname }, link).catch((error: unknown) => {
      if (!(error instanceof RegistryError) || error.status !== 409) throw error
      throw new RegistryError('DENIED', `The user name ${username} is taken; choose another.`, undefined, { status: 409 })
    })
    if (id === undefined) return undefined
    const user = await findUserById(this.#db, id)
    if (user === undefined) throw deleted()
    return await this.#update(user, claims, settings)
  }

  /** Where a browser logs out at the provider; undefined: the provider has no such place (RP-Initiated Logout 1.0). @throws ProviderError */
  async logoutUrl(sealedIdToken: string, postLogout: string): Promise<URL | undefined> {
    const configuration = await this.#configuration(await this.#settings())
    if (configuration.serverMetadata().end_session_endpoint === undefined) return undefined
    const hint = await this.#secrets.unseal(sealedIdToken, ID_TOKEN)
    return client.buildEndSessionUrl(configuration, { id_token_hint: hint, post_logout_redirect_uri: postLogout })
  }

  async #settings(): Promise<LiveValues> {
    const settings = await this.#live.all()
    if (settings.auth_mode !== 'oidc_auth')
      throw new RegistryError('UNSUPPORTED', 'Logins by OpenID are off: auth_mode is not oidc_auth.', undefined, { status: 412 })
    return settings
  }

  /** Asked for once, until the settings change or the provider could not be asked. */
  async #configuration(settings: LiveValues): Promise<client.Configuration> {
    const { oidc_endpoint, oidc_client_id, oidc_client_secret, oidc_verify_cert } = settings
    const wanted = JSON.stringify([oidc_endpoint, oidc_client_id, oidc_client_secret, oidc_verify_cert])
    if (this.#provider?.for !== wanted) this.#provider = { for: wanted, configuration: discover(settings) }
    const provider = this.#provider
    try {
      return await provider.configuration
    } catch (error) {
      if (this.#provider === provider) this.#provider = undefined
      throw error
    }
  }

  async #claims(configuration: client.Configuration, tokens: client.TokenEndpointResponse & client.TokenEndpointResponseHelpers): Promise<Claims> {
    const claims = tokens.claims()
    if (claims === undefined) throw new TypeError('it sent no ID token')
    if (configuration.serverMetadata().userinfo_endpoint === undefined) return claims as Claims
    const more = await client.fetchUserInfo(configuration, tokens.access_token, claims.sub)
    return { ...more, ...claims } as Claims
  }

  async #update(user: User, claims: Claims, settings: LiveValues): Promise<User> {
    const { oidc_groups_claim: claim, oidc_group_filter, oidc_admin_group } = settings
    if (claim === undefined) return user
    const names = groupsIn(claims[claim], oidc_group_filter)
    const ids: number[] = []
    for (const name of names) ids.push((await ensureGroup(this.#db, { name, type: OIDC_GROUP })).id)
    await setGroupsOfUser(this.#db, user.id, ids, ACTOR)
    const admin = oidc_admin_group !== undefined && names.includes(oidc_admin_group)
    if (admin !== user.adminByGroup) await setAdminByGroup(this.#db, user.id, admin, ACTOR)
    return (await findUserById(this.#db, user.id)) ?? user
  }

  async #renew(link: OidcLink, refreshToken: string | undefined): Promise<void> {
    this.#unanswered.delete(link.userId)
    const sealedRefreshToken = refreshToken === undefined ? link.sealedRefreshToken : await this.#secrets.seal(refreshToken, REFRESH)
    await renewOidcLink(this.#db, link.userId, { sealedRefreshToken, checkedAt: this.#db.clock.now() })
  }

  /** Asks whether the provider still knows somebody, and takes what it says of him now. @throws ProviderError */
  async stillKnown(user: User, link: OidcLink & { readonly sealedRefreshToken: string }): Promise<boolean> {
    const settings = await this.#settings()
    const configuration = await this.#configuration(settings)
    try {
      const tokens = await client.refreshTokenGrant(configuration, await this.#secrets.unseal(link.sealedRefreshToken, REFRESH))
      await this.#renew(link, tokens.refresh_token)
      const claims = tokens.claims()
      if (claims !== undefined) await this.#update(user, await this.#claims(configuration, tokens), settings)
      return true
    } catch (error) {
      // Its no to this person (RFC 6749, 5.2) counts; that it cannot be asked, or does not know us, does not.
      const isNo = error instanceof client.ResponseBodyError && error.error === 'invalid_grant'
      if (isNo && this.#unanswered.has(user.id)) {
        throw new ProviderError(
          `The OpenID provider did not answer when it was asked for ${user.username}, so it has to be asked anew: log in by the browser once.`,
          error,
        )
      }
      this.#log.warn({ err: error, user: user.username, reason: reasonOf(error) }, 'The OpenID provider did not say that it still knows somebody.')
      if (isNo) return false
      // It may have done what it was asked: then the token that is kept is used up.
      if (!(error instanceof client.ResponseBodyError)) this.#unanswered.set(user.id, true)
      throw new ProviderError(`The OpenID provider cannot be asked whether it still knows ${user.username}: ${reasonOf(error)}`, error)
    }
  }
}

function deleted(): RegistryError {
  return new RegistryError('UNAUTHORIZED', 'Your account here was deleted; ask an administrator.')
}

/** The name by the claim that is set, else the usual ones; without what a name cannot have. */
function nameIn(claims: Claims, claim: string | undefined): string {
  const candidates = claim === undefined ? [claims.name, claims.preferred_username, claims.sub] : [claims[claim]]
  const name = candidates.find((value) => typeof value === 'string' && value !== '')
  return typeof name === 'string' ? asUserName(name) : ''
}

function groupsIn(value: unknown, filter: string | undefined): string[] {
  const names = [value].flat().filter((each): each is string => typeof each === 'string' && each !== '' && each.length <= 255)
  return [...new Set(filteredGroups(names, filter))].slice(0, GROUPS_LIMIT)
}

function extraParameters(text: string | undefined): Record<string, string> {
  if (text === undefined) return {}
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, String(each)]))
  } catch (error) {
    throw new ProviderError('oidc_extra_redirect_parms is no JSON object.', error)
  }
  throw new ProviderError('oidc_extra_redirect_parms is no JSON object.')
}
