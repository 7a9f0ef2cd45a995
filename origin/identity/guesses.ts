import { createHmac } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Log } from '../../registry/log.ts'
import { networkOf, pairOf, THROTTLE_LIMITS, type ThrottleLimits, tooManyGuesses } from '../../runtime/credentials/throttle.ts'
import type { Database } from '../../schema/database.ts'
import { addGuess, forgetGuesses, type Guesses, isKnownAddress, noteKnownAddress, readGuesses } from '../../schema/guesses.ts'

/** How long an address stays one that an account is used from, and how often that is written down, in milliseconds. */
const KNOWN_MS = 30 * 24 * 3_600_000
const NOTED_MS = 24 * 3_600_000
const NOTED = 10_000

export interface SharedGuessesOptions {
  readonly db: Database
  /** Of the names that wrong secrets are counted under. */
  readonly key: Buffer
  readonly log: Log
  readonly limits?: ThrottleLimits
}

/**
 * What Throttle counts for one process, for all of them: whoever is sent from one to the next has no more guesses for it. And what it cannot know:
 * guesses at one account from very many addresses. Those keep nobody out where the account was used before.
 */
export class SharedGuesses {
  readonly #options: SharedGuessesOptions
  readonly #limits: ThrottleLimits
  /** When it was written down that an account is used from an address. */
  readonly #noted = new LRUCache<string, number>({ max: NOTED })

  constructor(options: SharedGuessesOptions) {
    this.#options = options
    this.#limits = options.limits ?? THROTTLE_LIMITS
  }

  /** @returns whether this account has been guessed at from this address. @throws RegistryError TOOMANYREQUESTS */
  async admit(account: string, address: string): Promise<boolean> {
    const { db } = this.#options
    const { perAccount, perAddress, anywhere, window } = this.#limits
    const { pair, network, everywhere, known } = this.#keys(account, address)
    const found = new Map((await readGuesses(db, [pair, network, everywhere], window)).map((row) => [row.key, row]))
    this.#refuse(found.get(pair), perAccount)
    this.#refuse(found.get(network), perAddress)
    const all = found.get(everywhere)
    if (all !== undefined && all.failures >= anywhere && !(await isKnownAddress(db, known, db.clock.now() - KNOWN_MS))) this.#refuse(all, anywhere)
    return found.has(pair)
  }

  /** Counts a wrong secret. Where that cannot be written, this process still counts for itself. */
  async wrong(account: string, address: string): Promise<void> {
    const { db, log } = this.#options
    const { pair, network, everywhere } = this.#keys(account, address)
    await addGuess(db, [pair, network, everywhere], this.#limits.window).catch((error: unknown) => {
      log.warn({ err: error }, 'A wrong secret could not be counted for all processes.')
    })
  }

  /** Begins anew for this account from this address, where it was guessed at, and remembers that it is used from there. */
  async right(account: string, address: string, guessed: boolean): Promise<void> {
    const { db, log } = this.#options
    const { pair, known } = this.#keys(account, address)
    if (guessed) await forgetGuesses(db, pair)
    const now = db.clock.now()
    const notedAt = this.#noted.get(known)
    if (notedAt !== undefined && now >= notedAt && now - notedAt < NOTED_MS) return
    this.#noted.set(known, now)
    await noteKnownAddress(db, known, now - KNOWN_MS).catch((error: unknown) => {
      log.warn({ err: error }, 'From where an account is used could not be written down.')
    })
  }

  #refuse(row: Guesses | undefined, limit: number): void {
    if (row === undefined || row.failures < limit) return
    throw tooManyGuesses(row.since + this.#limits.window - this.#options.db.clock.now())
  }

  #keys(account: string, address: string) {
    const hash = (text: string) => createHmac('sha256', this.#options.key).update(text).digest('base64url')
    return {
      pair: hash(`pair ${pairOf(account, address)}`),
      network: hash(`network ${networkOf(address)}`),
      everywhere: hash(`account ${account.toLowerCase()}`),
      known: hash(`known ${pairOf(account, address)}`),
    }
  }
}
