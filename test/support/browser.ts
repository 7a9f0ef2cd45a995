/** A browser, as far as logging in needs one: it keeps cookies by host and follows no redirect by itself. */
export class Browser {
  readonly #cookies = new Map<string, Map<string, string>>()
  readonly #fetch: (request: Request) => Promise<Response>

  constructor(fetcher: (request: Request) => Promise<Response> = (request) => fetch(request)) {
    this.#fetch = fetcher
  }

  async go(url: string | URL, init: RequestInit = {}): Promise<Response> {
    const at = new URL(url)
    const jar = this.#cookies.get(at.host) ?? new Map<string, string>()
    this.#cookies.set(at.host, jar)
    const headers = new Headers(init.headers)
    headers.set('cookie', [...jar].map(([name, value]) => `${name}=${value}`).join('; '))
    const response = await this.#fetch(new Request(at, { ...init, headers, redirect: 'manual' }))
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
      if (/max-age=0|expires=thu, 01 jan 1970/i.test(cookie)) jar.delete(name)
      else jar.set(name, value)
    }
    return response
  }

  has(host: string, cookie: string): boolean {
    return this.#cookies.get(host)?.has(cookie) ?? false
  }

  cookie(host: string, name: string): string | undefined {
    return this.#cookies.get(host)?.get(name)
  }
}
