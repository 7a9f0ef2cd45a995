import { LRUCache } from 'lru-cache'
import { BASIC_LOGIN_MS, BASIC_LOGINS_IN_MEMORY } from './limits.ts'
import type { Login } from './token-service.ts'

interface Known {
  readonly token: string
  readonly until: number
}

/**
 * Names and secrets that come with each request under /v2, as some clients send them: the origin checks them once in a while, not at every
 * request. What is remembered is a token, which ends with the secret, the account and the feed's news as any other.
 */
export class BasicLogins {
  readonly #login: Login
  readonly #now: () => number
  /** Under a hash of name and secret that only this process can make. */
  readonly #known = new LRUCache<string, Known>({ max: BASIC_LOGINS_IN_MEMORY })
  readonly #salt = crypto.getRandomValues(new Uint8Array(32))

  /** `now` is by the origin's clock, in milliseconds. */
  constructor(login: Login, now: () => number) {
    this.#login = login
    this.#now = now
  }

  /** A token for whose name and secret these are. @throws as Login */
  async token({ username, password }: { readonly username: string; readonly password: string }, client: string | undefined): Promise<string> {
    const key = await this.#keyOf(`${username}\0${password}`)
    const now = this.#now()
    const known = this.#known.get(key)
    if (known !== undefined && known.until > now) return known.token
    const { token, expiresIn } = await this.#login.login({ username, password, scopes: [], client })
    this.#known.set(key, { token, until: now + Math.min(BASIC_LOGIN_MS, expiresIn * 1000) })
    return token
  }

  async #keyOf(text: string): Promise<string> {
    const bytes = new TextEncoder().encode(text)
    const salted = new Uint8Array(this.#salt.length + bytes.length)
    salted.set(this.#salt)
    salted.set(bytes, this.#salt.length)
    return [...new Uint8Array(await crypto.subtle.digest('SHA-256', salted))].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  }
}
