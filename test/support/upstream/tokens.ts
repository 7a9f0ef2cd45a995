import { randomBytes } from 'node:crypto'

export interface TokensOptions {
  readonly users: Readonly<Record<string, string>>
  /** Seconds. */
  readonly tokenLife: number
  /** Repositories that nobody may read without logging in. */
  readonly isPrivate: (repository: string) => boolean
}

/** Hub's token service: a token for each scope that was asked for and may be had. */
export class TokenService {
  readonly #options: TokensOptions
  readonly #tokens = new Map<string, { readonly access: ReadonlySet<string>; readonly until: number }>()

  constructor(options: TokensOptions) {
    this.#options = options
  }

  /** undefined: a wrong password. */
  issue(authorization: string | undefined, scopes: readonly string[]): object | undefined {
    const user = this.#user(authorization)
    if (user === false) return undefined
    const access = new Set<string>()
    for (const scope of scopes) {
      const [type = '', repository = '', actions = ''] = scope.split(':')
      for (const action of actions.split(',')) {
        const may = user !== undefined || (action === 'pull' && !this.#options.isPrivate(repository))
        if (type === 'repository' && may) access.add(`${repository}:${action}`)
      }
    }
    const token = randomBytes(24).toString('base64url')
    const life = this.#options.tokenLife
    this.#tokens.set(token, { access, until: Date.now() + life * 1000 })
    return { token, access_token: token, expires_in: life, issued_at: new Date().toISOString() }
  }

  /** `access`: `repository:action`; undefined: any valid token will do. */
  allows(authorization: string | undefined, access: string | undefined): boolean {
    const token = this.#tokens.get(authorization?.match(/^Bearer (\S+)$/)?.[1] ?? '')
    if (token === undefined || token.until < Date.now()) return false
    return access === undefined || token.access.has(access)
  }

  /** Every token that is out. */
  get issued(): readonly string[] {
    return [...this.#tokens.keys()]
  }

  /** All tokens end now. */
  revoke(): void {
    this.#tokens.clear()
  }

  #user(authorization: string | undefined): string | undefined | false {
    if (authorization === undefined) return undefined
    const [name = '', password = ''] = Buffer.from(authorization.replace(/^Basic /, ''), 'base64')
      .toString()
      .split(':', 2)
    return this.#options.users[name] === password ? name : false
  }
}
