import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Provider } from 'oidc-provider'
import type { Browser } from './browser.ts'

export interface OpenIdPerson {
  readonly name: string
  readonly groups: readonly string[]
}

export const CLIENT_ID = 'atoll'

/** A real OpenID provider on this machine, which knows `people` by their subjects and takes any password. */
export class OpenIdProvider implements AsyncDisposable {
  readonly people: Map<string, OpenIdPerson>
  readonly issuer: string
  /** Whether it does what it is asked for tokens, and its answers are lost. */
  mute = false
  /** Every code and token that it gave out. */
  readonly issued: string[] = []
  readonly #server: Server

  private constructor(server: Server, people: Map<string, OpenIdPerson>) {
    this.#server = server
    this.people = people
    this.issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  /** `registry`: the base URL of the one client that it has. */
  static async start(options: {
    readonly registry: string
    readonly clientSecret: string
    readonly people: Map<string, OpenIdPerson>
  }): Promise<OpenIdProvider> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const running = new OpenIdProvider(server, options.people)
    const provider = new Provider(running.issuer, {
      clients: [
        {
          client_id: CLIENT_ID,
          client_secret: options.clientSecret,
          redirect_uris: [`${options.registry}/c/oidc/callback`],
          post_logout_redirect_uris: [options.registry],
          grant_types: ['authorization_code', 'refresh_token'],
        },
      ],
      claims: { openid: ['sub'], profile: ['name', 'groups'], email: ['email'] },
      scopes: ['openid', 'offline_access', 'profile', 'email'],
      pkce: { required: () => true },
      cookies: { keys: ['test'] },
      issueRefreshToken: async () => true,
      rotateRefreshToken: true,
      findAccount: (_, sub) => {
        const person = running.people.get(sub)
        return person && { accountId: sub, claims: async () => ({ sub, name: person.name, groups: [...person.groups], email: `${sub}@example.org` }) }
      },
    })
    const note = ({ jti }: { readonly jti: string }) => running.issued.push(jti)
    provider.on('authorization_code.saved', note).on('access_token.saved', note).on('refresh_token.saved', note)
    const answer = provider.callback()
    server.on('request', (request, response) => {
      if (running.mute && request.url?.startsWith('/token')) response.end = () => response.destroy()
      return answer(request, response)
    })
    return running
  }

  /** From the login page at `registry` through the provider's own pages (its development interactions). `query`: of the login page. @returns what the registry's callback answers */
  async login(tab: Browser, registry: string, subject: string, query = ''): Promise<Response> {
    const home = new URL(registry).host
    let response = await tab.go(`${registry}/c/oidc/login${query}`)
    for (let step = 0; step < 12; step++) {
      const location = response.headers.get('location')
      if (location !== null && response.status < 400) {
        const url = new URL(location, response.url || this.issuer)
        response = await tab.go(url)
        if (url.host === home) return response
        continue
      }
      const page = await response.text()
      const action = /action="([^"]+)"/.exec(page)?.[1]
      const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1]
      if (action === undefined || prompt === undefined) throw new Error(`the provider shows ${response.status} ${page.slice(0, 300)}`)
      response = await tab.go(new URL(action, this.issuer), {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ prompt, login: subject, password: 'any' }),
      })
    }
    throw new Error('the provider leads in a circle')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}
