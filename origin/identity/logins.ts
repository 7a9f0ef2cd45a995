import { createHmac, randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { inGoodStanding } from '../../mesh/caller.ts'
import type { Clock } from '../../registry/clock.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { Passwords } from '../../runtime/credentials/passwords.ts'
import type { Throttle } from '../../runtime/credentials/throttle.ts'
import type { RobotSecrets } from '../services.ts'
import type { Account } from './accounts.ts'
import type { Facts } from './facts.ts'
import type { SharedGuesses } from './guesses.ts'
import { ROBOT_PREFIX } from './robot-names.ts'

/** How long a secret that was right is not checked anew, in milliseconds. A new password, or a disabled account, ends it at once. */
const VERIFIED_MS = 30_000
const VERIFIED = 10_000
/** Longer ones are nobody's. */
const NAME_LIMIT = 255
const SECRET_LIMIT = 1_024

export interface LoginsOptions {
  readonly facts: Facts
  readonly passwords: Passwords
  readonly robotSecrets: RobotSecrets
  readonly throttle: Throttle
  /** What other processes know of guesses. */
  readonly guesses: Pick<SharedGuesses, 'admit' | 'wrong' | 'right'>
  readonly clock: Pick<Clock, 'now'>
  /** Keeps a password's new hash, made with today's parameters, if `account` still has the old one. */
  readonly rehash: (account: Account, hash: string) => Promise<void>
  /** Asks elsewhere about people who have no password here; resolves with the name of their account. */
  readonly directory: (name: string, password: string) => Promise<string | undefined>
  /** Where people without a password here are asked about now (`auth_mode`): what was right under another is checked anew. */
  readonly mode: () => Promise<string>
  /** Whether somebody is of an OpenID provider: while people are asked about there, a password that he may have here does not count. */
  readonly linked: (principalId: string) => Promise<boolean>
  /** Whether a secret that was right a moment ago still is, as far as that can be said here, of an account that has none here. */
  readonly stillRight: (name: string, secret: string) => Promise<boolean>
  /** Told of a wrong secret of an account that there is. */
  readonly onWrong: (account: string, address: string) => void
}

interface Verified {
  readonly id: string
  readonly credentialVersion: number
  readonly mode: string
  /** By whom people are asked about elsewhere. */
  readonly elsewhere: boolean
  readonly until: number
}

/** Names and secrets → who it is. */
export class Logins {
  readonly #options: LoginsOptions
  /** Under a keyed hash of name and secret; the key is of this process alone. */
  readonly #verified = new LRUCache<string, Verified>({ max: VERIFIED })
  readonly #checking = new Map<string, Promise<Account | undefined>>()
  readonly #key = randomBytes(32)

  constructor(options: LoginsOptions) {
    this.#options = options
  }

  /**
   * Whose secret this is. A right one of an account that is disabled or expired is told so; a wrong one learns nothing.
   * @throws RegistryError UNAUTHORIZED, TOOMANYREQUESTS
   */
  async login(name: string, secret: string, address: string): Promise<Account> {
    if (name === '' || name.length > NAME_LIMIT || secret.length > SECRET_LIMIT) throw wrong()
    const key = createHmac('sha256', this.#key).update(name.toLowerCase()).update('\0').update(secret).digest('base64url')
    const remembered = await this.#remembered(key, secret)
    if (remembered !== undefined) {
      this.#options.throttle.admit(name, address)
      await this.#options.guesses.admit(name, address)
    }
    const account = remembered ?? (await this.#check(key, name, secret, address))
    if (account === undefined) throw wrong()
    inGoodStanding(account.principal, this.#options.clock.now())
    return account
  }

  async #remembered(key: string, secret: string): Promise<Account | undefined> {
    const verified = this.#verified.get(key)
    if (verified === undefined) return undefined
    const account = await this.#options.facts.account(verified.id)
    const now = this.#options.clock.now()
    const fresh = now < verified.until && now > verified.until - 2 * VERIFIED_MS
    const { mode, stillRight } = this.#options
    if (fresh && account?.credentialVersion === verified.credentialVersion && verified.mode === (await mode())) {
      if (!verified.elsewhere || (await stillRight(account.principal.name, secret))) return account
    }
    this.#verified.delete(key)
    return undefined
  }

  /** Many requests with the same secret at once are one check. */
  async #check(key: string, name: string, secret: string, address: string): Promise<Account | undefined> {
    const under = `${key} ${address}`
    const running = this.#checking.get(under)
    if (running !== undefined) return await running
    const check = this.#verify(key, name, secret, address).finally(() => this.#checking.delete(under))
    this.#checking.set(under, check)
    return await check
  }

  async #verify(key: string, name: string, secret: string, address: string): Promise<Account | undefined> {
    const { facts, passwords, robotSecrets, throttle, guesses, clock } = this.#options
    // Nobody guesses a robot's secret; a machine that has the one of yesterday tries it again and again.
    const attempt = throttle.attempt(name, address, name.startsWith(ROBOT_PREFIX) ? key : undefined)
    const guessed = await guesses.admit(name, address)
    const mode = await this.#options.mode()
    let account = await facts.accountNamed(name)
    const meant = account?.principal.id
    // By the name, not by what was found: the time that an answer takes must not tell which robots there are.
    const robot = account === undefined ? name.startsWith(ROBOT_PREFIX) : account.principal.kind === 'robot'
    let right = robot ? await robotSecrets.verify(secret, account?.secretHash ?? '') : await passwords.verify(secret, account?.secretHash)
    const elsewhere = !robot && !(await this.#hasPasswordHere(account, mode))
    if (elsewhere) {
      const known = await this.#options.directory(name, secret).catch((error: unknown) => {
        attempt.unchecked()
        throw error
      })
      account = known === undefined ? undefined : await facts.accountNamed(known)
      right = account !== undefined
    }
    if (account === undefined || !right) {
      if (!attempt.again) await guesses.wrong(name, address)
      if (meant !== undefined) this.#options.onWrong(meant, address)
      // Who has a password here costs what anybody else costs, who is asked for elsewhere. By no name and secret of his: they are for here alone.
      if (!robot && !elsewhere) await this.#options.directory(nobody(), nobody())
      return undefined
    }
    attempt.right()
    await guesses.right(name, address, guessed)
    const { id } = account.principal
    this.#verified.set(key, { id, credentialVersion: account.credentialVersion, mode, elsewhere, until: clock.now() + VERIFIED_MS })
    if (!robot && !elsewhere && account.secretHash !== undefined && passwords.outdated(account.secretHash)) {
      await this.#options.rehash(account, await passwords.hash(secret))
    }
    return account
  }

  /** Somebody of a provider may have been given a password here in between: it must not outlive what the provider thinks of him. */
  async #hasPasswordHere(account: Account | undefined, mode: string): Promise<boolean> {
    if (account?.secretHash === undefined) return false
    return mode !== 'oidc_auth' || !(await this.#options.linked(account.principal.id))
  }
}

const nobody = () => randomBytes(12).toString('base64url')

function wrong(): RegistryError {
  return new RegistryError('UNAUTHORIZED', 'The user name or the password is wrong.')
}
