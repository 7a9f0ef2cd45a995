import { LRUCache } from 'lru-cache'
import type { SubjectId } from '../../policy/facts.ts'
import type { Clock } from '../../registry/clock.ts'
import type { Log } from '../../registry/log.ts'
import type { Kept } from '../kept.ts'
import { GRANT_REFRESH_MS, GRANT_SWEEP_MS, GRANTS_IN_MEMORY } from '../limits.ts'

/** Whom a login was good for, as the origin said it. */
export interface Granted {
  readonly subject: SubjectId
  /** Of the secret that was shown. */
  readonly credentialVersion?: number
}

/** Hashes that are slow on purpose, so that who takes the disk guesses slowly. */
export interface SlowHashes {
  hash(secret: string): Promise<string>
  /** Takes the same time whether or not there is a stored hash. */
  verify(secret: string, stored: string | undefined): Promise<boolean>
}

/** Logins that this edge has seen succeed. */
export interface KnownLogins {
  /** Remembers a login that the origin has accepted just now. Durable when it resolves. */
  keep(login: Credentials, granted: Granted): Promise<void>
  /**
   * Whom the origin last gave this login to; `'over'`: that was too long ago; undefined: this edge does not know. `client` is the network address that it
   * comes from, where it is known. @throws RegistryError TOOMANYREQUESTS
   */
  find(login: Credentials, client: string | undefined): Promise<Granted | 'over' | undefined>
}

export interface Credentials {
  readonly username: string
  readonly password: string
}

export interface GrantsOptions {
  readonly kept: Kept
  readonly hashes: SlowHashes
  /** HMAC-SHA-256, of this edge alone: what is kept here opens nothing anywhere else. */
  readonly key: CryptoKey
  /** Slows down guesses as the origin does. */
  readonly throttle: { attempt(account: string, address: string): { right(): void } }
  readonly clock: Pick<Clock, 'now'>
  readonly log: Log
  /** For how long a login may be repeated without the origin, in milliseconds. 0: not at all. */
  readonly grace: number
}

/** As it is kept. */
interface Grant extends Granted {
  readonly hash: string
  /** Milliseconds since the epoch, by this edge's clock. */
  readonly givenAt: number
  readonly notAfter: number
}

/**
 * What lets somebody who has logged in through this edge do so again while the origin is away. A grant holds no secret, only a slow
 * hash of one under a key of this edge. It says who somebody is, not what he may do: that stays with the documents, which know too
 * whether the secret has been changed since (`credentialVersion`) and whether the account still exists (by id, never by name).
 */
export class Grants implements KnownLogins {
  readonly #options: GrantsOptions
  /** Logins that were written down a moment ago, by user name and secret, so that each pull does not cost a slow hash. */
  readonly #fresh = new LRUCache<string, Granted & { readonly at: number }>({ max: GRANTS_IN_MEMORY })
  #sweptAt: number | undefined

  constructor(options: GrantsOptions) {
    this.#options = options
  }

  async keep({ username, password: secret }: Credentials, { subject, credentialVersion }: Granted): Promise<void> {
    const { kept, hashes, clock, grace } = this.#options
    if (grace === 0) return
    const now = clock.now()
    const login = await this.#keyed(`login\n${username}\n${secret}`)
    const known = this.#fresh.get(login)
    const same = known?.subject === subject && known.credentialVersion === credentialVersion
    if (known !== undefined && same && now >= known.at && now - known.at < Math.min(GRANT_REFRESH_MS, grace / 10)) return
    const granted: Granted = { subject, ...(credentialVersion !== undefined && { credentialVersion }) }
    const hash = await hashes.hash(await this.#keyed(`secret\n${secret}`))
    await kept.set(await this.#place(username), { ...granted, hash, givenAt: now, notAfter: now + grace } satisfies Grant)
    this.#fresh.set(login, { ...granted, at: now })
    await this.#sweep(now)
  }

  async find({ username, password: secret }: Credentials, client: string | undefined): Promise<Granted | 'over' | undefined> {
    const { kept, hashes, throttle, clock } = this.#options
    // Where the address is not known, each account counts by itself, so that one guesser does not lock out everybody.
    const guess = throttle.attempt(username, client ?? username)
    const grant = (await kept.get(await this.#place(username))) as Grant | undefined
    const right = await hashes.verify(await this.#keyed(`secret\n${secret}`), grant?.hash)
    if (grant === undefined || !right) return undefined
    guess.right()
    const now = clock.now()
    // A clock that shows a time before the grant was given has been set back: how old the grant is nobody knows.
    if (now > grant.notAfter || now < grant.givenAt) return 'over'
    return { subject: grant.subject, ...(grant.credentialVersion !== undefined && { credentialVersion: grant.credentialVersion }) }
  }

  /** Grants that are over go, so that their hashes are not lying about. */
  async #sweep(now: number): Promise<void> {
    if (this.#sweptAt !== undefined && Math.abs(now - this.#sweptAt) < GRANT_SWEEP_MS) return
    this.#sweptAt = now
    const { kept, log } = this.#options
    let dropped = 0
    for await (const key of kept.keys(GRANTS)) {
      const grant = (await kept.get(key)) as Grant | undefined
      if (grant === undefined || now <= grant.notAfter) continue
      await kept.delete(key)
      dropped++
    }
    if (dropped > 0) log.info({ grants: dropped }, 'Logins that may no longer be repeated without the origin were dropped.')
  }

  /** The user name is not to be read off the disk either. */
  async #place(username: string): Promise<string> {
    return GRANTS + (await this.#keyed(`user\n${username}`))
  }

  async #keyed(text: string): Promise<string> {
    const mac = await crypto.subtle.sign('HMAC', this.#options.key, new TextEncoder().encode(text))
    return Array.from(new Uint8Array(mac), (byte) => byte.toString(16).padStart(2, '0')).join('')
  }
}

const GRANTS = 'grants/'
