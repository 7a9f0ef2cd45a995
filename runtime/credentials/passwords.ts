import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto'
import { RegistryError } from '../../registry/spec/errors.ts'

// Passwords by scrypt (RFC 7914). Stored as `scrypt$<N>$<r>$<p>$<salt>$<hash>`, so that parameters can grow later.

/** Passwords of people. The stored text holds the parameters it was made with. */
export interface Passwords {
  hash(password: string): Promise<string>
  /** Takes the same time whether or not there is a stored hash. */
  verify(password: string, stored: string | undefined): Promise<boolean>
  /** Whether it was made with other parameters than today's, and should be made anew at the next good login. */
  outdated(stored: string): boolean
}

export interface ScryptParameters {
  readonly N: number
  readonly r: number
  readonly p: number
}

/** 32 MiB and some 60 ms for each try: dear for who guesses, and affordable at a login. */
const TODAY: ScryptParameters = { N: 2 ** 15, r: 8, p: 1 }
const HASH_BYTES = 32
const SALT_BYTES = 16
/** Computations at once, each of which holds 32 MiB and a thread; and how many may wait for their turn. */
const AT_ONCE = 2
const WAITING = 64

export function createPasswords(parameters: ScryptParameters = TODAY): Passwords {
  const turns = new Turns(AT_ONCE, WAITING)
  const derive = (password: string, salt: Buffer, chosen: ScryptParameters) => turns.take(() => scryptOf(password, salt, chosen))
  return {
    async hash(password) {
      const salt = randomBytes(SALT_BYTES)
      return show(parameters, salt, await derive(password, salt, parameters))
    },
    async verify(password, stored) {
      const parsed = stored === undefined ? undefined : parse(stored)
      // Without a stored hash the same work is done for nothing, so that the time does not tell which names exist.
      const { chosen, salt, hash } = parsed ?? { chosen: parameters, salt: Buffer.alloc(SALT_BYTES), hash: Buffer.alloc(HASH_BYTES) }
      const equal = timingSafeEqual(await derive(password, salt, chosen), hash)
      return parsed !== undefined && equal
    },
    outdated(stored) {
      const chosen = parse(stored)?.chosen
      return chosen === undefined || chosen.N !== parameters.N || chosen.r !== parameters.r || chosen.p !== parameters.p
    },
  }
}

function show({ N, r, p }: ScryptParameters, salt: Buffer, hash: Buffer): string {
  return ['scrypt', N, r, p, salt.toString('base64url'), hash.toString('base64url')].join('$')
}

function parse(stored: string): { chosen: ScryptParameters; salt: Buffer; hash: Buffer } | undefined {
  const match = /^scrypt\$(\d{1,8})\$(\d{1,3})\$(\d{1,3})\$([\w-]+)\$([\w-]+)$/.exec(stored)
  if (match?.[4] === undefined || match[5] === undefined) return undefined
  const hash = Buffer.from(match[5], 'base64url')
  if (hash.length !== HASH_BYTES) return undefined
  return { chosen: { N: Number(match[1]), r: Number(match[2]), p: Number(match[3]) }, salt: Buffer.from(match[4], 'base64url'), hash }
}

function scryptOf(password: string, salt: Buffer, { N, r, p }: ScryptParameters): Promise<Buffer> {
  const options: ScryptOptions = { N, r, p, maxmem: 256 * N * r }
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFKC'), salt, HASH_BYTES, options, (error, hash) => (error === null ? resolve(hash) : reject(error)))
  })
}

/** A few at once, some waiting, the rest refused: guessing must not take the memory and the threads that pulls need. */
class Turns {
  readonly #atOnce: number
  readonly #limit: number
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(atOnce: number, limit: number) {
    this.#atOnce = atOnce
    this.#limit = limit
  }

  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#atOnce) {
      if (this.#waiting.length >= this.#limit) {
        throw new RegistryError('TOOMANYREQUESTS', 'Too many logins at once. Try again in a few seconds.', undefined, {
          headers: { 'retry-after': '5' },
        })
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    } else {
      this.#running++
    }
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next()
    }
  }
}
