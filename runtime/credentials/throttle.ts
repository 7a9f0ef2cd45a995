import { type Clock, steady } from '../../registry/clock.ts'
import { dropOldest } from '../../registry/oldest.ts'
import { RegistryError } from '../../registry/spec/errors.ts'

export interface ThrottleLimits {
  /** Wrong secrets for one account from one address before it must wait. */
  readonly perAccount: number
  /** Wrong secrets from one address, for whatever accounts. */
  readonly perAddress: number
  /** Wrong secrets for one account from wherever, before only addresses that it was used from may go on. */
  readonly anywhere: number
  /** How long a wrong secret counts, in milliseconds. */
  readonly window: number
  /** How many pairs of account and address, and how many addresses, are remembered. */
  readonly remembered: number
}

export const THROTTLE_LIMITS: ThrottleLimits = { perAccount: 10, perAddress: 100, anywhere: 200, window: 5 * 60_000, remembered: 50_000 }

/** A count of failures in the current window. Guesses that are being checked count as failures until they turn out right. */
interface Count {
  failures: number
  readonly since: number
  /** Fingerprints of what was tried, where that is counted once. */
  readonly tried: Set<string>
}

export interface Attempt {
  /** This secret was tried before, and counts no more. */
  readonly again: boolean
  right(): void
  /** Nobody could say whether it was right: then it was no guess. */
  unchecked(): void
}

/**
 * Slows down guessing. It counts by account and address together, so that nobody locks an administrator out from elsewhere, and by address
 * alone, so that trying one password on many accounts is no way around it.
 */
export class Throttle {
  readonly #clock: Pick<Clock, 'now' | 'monotonic'>
  readonly #limits: ThrottleLimits
  // In the order of their windows' beginnings, so that the oldest is first and the one to go.
  readonly #pairs = new Map<string, Count>()
  readonly #addresses = new Map<string, Count>()

  constructor(clock: Pick<Clock, 'now' | 'monotonic'>, limits: ThrottleLimits = THROTTLE_LIMITS) {
    this.#clock = clock
    this.#limits = limits
  }

  /**
   * Call it before a secret is checked, and on what it gives `right` when the secret was right, `unchecked` when that could not be said. `fingerprint`, of the secret: a machine that goes on
   * with one that has been changed is no guesser, so the same one counts once. @throws RegistryError TOOMANYREQUESTS
   */
  attempt(account: string, address: string, fingerprint?: string): Attempt {
    const pair = pairOf(account, address)
    const known = this.#current(this.#pairs, pair)
    const everything = this.#current(this.#addresses, networkOf(address))
    this.#refuse(known, this.#limits.perAccount)
    this.#refuse(everything, this.#limits.perAddress)
    const again = fingerprint !== undefined && known?.tried.has(fingerprint) === true
    if (!again) {
      this.#count(this.#pairs, pair, known, fingerprint)
      this.#count(this.#addresses, networkOf(address), everything)
    }
    const less = (counts: Map<string, Count>, key: string) => {
      const count = again ? undefined : counts.get(key)
      if (count !== undefined) count.failures--
    }
    return {
      again,
      right: () => {
        this.#pairs.delete(pair)
        less(this.#addresses, networkOf(address))
      },
      unchecked: () => {
        less(this.#pairs, pair)
        less(this.#addresses, networkOf(address))
      },
    }
  }

  /**
   * For a secret that is known to be right without a check. Who has guessed too often is refused all the same: otherwise the one
   * guess that is not slowed down would be the right one. @throws RegistryError TOOMANYREQUESTS
   */
  admit(account: string, address: string): void {
    this.#refuse(this.#current(this.#pairs, pairOf(account, address)), this.#limits.perAccount)
  }

  #current(counts: Map<string, Count>, key: string): Count | undefined {
    const count = counts.get(key)
    if (count !== undefined && steady(this.#clock) - count.since < this.#limits.window) return count
    counts.delete(key)
    return undefined
  }

  #refuse(count: Count | undefined, limit: number): void {
    if (count === undefined || count.failures < limit) return
    throw tooManyGuesses(count.since + this.#limits.window - steady(this.#clock))
  }

  #count(counts: Map<string, Count>, key: string, count: Count | undefined, fingerprint?: string): void {
    const counted = count ?? { failures: 0, since: steady(this.#clock), tried: new Set<string>() }
    counted.failures++
    if (fingerprint !== undefined) counted.tried.add(fingerprint)
    if (count !== undefined) return
    counts.set(key, counted)
    dropOldest(counts, this.#limits.remembered)
  }
}

export function tooManyGuesses(leftMs: number): RegistryError {
  const seconds = Math.ceil(leftMs / 1000)
  return new RegistryError('TOOMANYREQUESTS', `Too many wrong passwords. Try again in ${seconds} s.`, undefined, {
    headers: { 'Retry-After': String(seconds) },
  })
}

export function pairOf(account: string, address: string): string {
  return `${networkOf(address)}\n${account.toLowerCase()}`
}

/** One household or machine has a whole /64 of IPv6: it counts as one address. What is before a slash is the edge that the address was seen by. */
export function networkOf(seen: string): string {
  const slash = seen.indexOf('/')
  const [edge, address] = [seen.slice(0, slash + 1), seen.slice(slash + 1)]
  return edge + (!address.includes(':') || address.includes('.') ? address : network64(address))
}

function network64(address: string): string {
  const [head = '', tail] = address.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0')
  return [...before, ...zeros, ...after].slice(0, 4).join(':')
}
