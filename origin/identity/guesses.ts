import { createHmac } from 'node:crypto'
import type { Log } from '../../registry/log.ts'
import { networkOf, pairOf, THROTTLE_LIMITS, type ThrottleLimits, tooManyGuesses } from '../../runtime/credentials/throttle.ts'
import type { Database } from '../../schema/database.ts'
import { addGuess, forgetGuesses, type Guesses, readGuesses } from '../../schema/guesses.ts'

export interface SharedGuessesOptions {
  readonly db: Database
  /** Of the names that wrong secrets are counted under. */
  readonly key: Buffer
  readonly log: Log
  readonly limits?: ThrottleLimits
}

/** What Throttle counts for one process, for all of them: whoever is sent from one to the next has no more guesses for it. */
export class SharedGuesses {
  readonly #options: SharedGuessesOptions
  readonly #limits: ThrottleLimits

  constructor(options: SharedGuessesOptions) {
    this.#options = options
    this.#limits = options.limits ?? THROTTLE_LIMITS
  }

  /** @returns whether this account has been guessed at from this address. @throws RegistryError TOOMANYREQUESTS */
  async admit(account: string, address: string): Promise<boolean> {
    const { perAccount, perAddress, window } = this.#limits
    const [pair, network] = this.#keys(account, address)
    const found = new Map((await readGuesses(this.#options.db, [pair, network], window)).map((row) => [row.key, row]))
    this.#refuse(found.get(pair), perAccount)
    this.#refuse(found.get(network), perAddress)
    return found.has(pair)
  }

  /** Counts a wrong secret. Where that cannot be written, this process still counts for itself. */
  async wrong(account: string, address: string): Promise<void> {
    const { db, log } = this.#options
    await addGuess(db, this.#keys(account, address), this.#limits.window).catch((error: unknown) => {
      log.warn({ err: error }, 'A wrong secret could not be counted for all processes.')
    })
  }

  /** Begins anew for this account from this address. */
  async right(account: string, address: string): Promise<void> {
    await forgetGuesses(this.#options.db, this.#keys(account, address)[0])
  }

  #refuse(row: Guesses | undefined, limit: number): void {
    if (row === undefined || row.failures < limit) return
    throw tooManyGuesses(row.since + this.#limits.window - this.#options.db.clock.now())
  }

  #keys(account: string, address: string): [pair: string, network: string] {
    const hash = (text: string) => createHmac('sha256', this.#options.key).update(text).digest('base64url')
    return [hash(`pair ${pairOf(account, address)}`), hash(`network ${networkOf(address)}`)]
  }
}
