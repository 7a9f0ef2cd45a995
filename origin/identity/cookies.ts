/** One cookie of a request (RFC 6265); undefined: it sends none of that name. */
export function cookieOf(request: Request, name: string): string | undefined {
  for (const pair of (request.headers.get('cookie') ?? '').split(';')) {
    const at = pair.indexOf('=')
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim()
  }
  return undefined
}

export interface CookieOptions {
  /** Only by https. */
  readonly secure: boolean
  /** In seconds; 0 takes it away. */
  readonly maxAge: number
  readonly path?: string
}

/** For this host only, out of reach of scripts, not sent by other sites' forms. */
export function setCookie(name: string, value: string, { secure, maxAge, path = '/' }: CookieOptions): string {
  return `${name}=${value}; Path=${path}; Max-Age=${maxAge}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`
}
