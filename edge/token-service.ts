import type { TokenAnswer, TokenRequest } from '../mesh/enrolment.ts'
import { MESH } from '../mesh/enrolment.ts'
import type { Knowledge } from '../mesh/gate.ts'
import { grantedAccess } from '../mesh/grants.ts'
import { ANONYMOUS } from '../policy/facts.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import { parseBasic } from './basic.ts'
import { RETRY_AFTER_S, SCOPES_OF_A_TOKEN, SOURCE_AWAY_MS } from './limits.ts'
import type { Mesh } from './mesh.ts'
import type { Mirrors } from './mirror/mirrors.ts'
import type { OriginClient } from './origin-client.ts'
import { Patience, type PatienceOptions } from './patience.ts'
import { revokedEdge } from './revoked.ts'
import type { Tokens } from './tokens.ts'

export interface IssuedToken {
  readonly token: string
  /** Seconds. */
  readonly expiresIn: number
}

/** Turns a name and a secret into a token. */
export interface Login {
  /** @throws RegistryError UNAUTHORIZED when they are wrong, TOOMANYREQUESTS, UNAVAILABLE when that cannot be found out now */
  login(request: TokenRequest): Promise<IssuedToken>
}

/** Passes credentials on to the origin, once, and keeps nothing of them. One that is not heard is waited for no longer than for a manifest. */
export function originLogin(origin: Pick<OriginClient, 'ask'>, offer: (principal: string) => Promise<void>, heard: PatienceOptions): Login {
  const ask = async (request: TokenRequest) => {
    const patience = new Patience({ ...heard, ms: SOURCE_AWAY_MS })
    try {
      return await origin.ask('POST', MESH.tokens, { json: request, signal: patience.signal })
    } catch (cause) {
      throw away(cause)
    } finally {
      patience.end()
    }
  }
  return {
    async login(request) {
      const { status, headers, text } = await ask(request)
      if (status === 200) {
        const { token, expiresIn, principal } = JSON.parse(text) as TokenAnswer
        await offer(principal)
        return { token, expiresIn }
      }
      if (status === 401) throw new RegistryError('UNAUTHORIZED', 'The user name or the password is wrong.', undefined, { headers: LOG_IN })
      if (status === 429) {
        throw new RegistryError('TOOMANYREQUESTS', 'Too many failed logins: try again later.', undefined, {
          headers: { 'Retry-After': headers.get('Retry-After') ?? '60' },
        })
      }
      if (status === 403) throw revokedEdge()
      throw away(undefined)
    },
  }
}

export interface TokenServiceOptions {
  readonly mesh: Mesh
  readonly tokens: Tokens
  readonly login: Login
  readonly knowledge: Knowledge
  /** Clients of a mirror ask for tokens by other names. */
  readonly mirrors: Pick<Mirrors, 'scopes'>
}

/** `GET /service/token` as Docker's token authentication has it, and its OAuth 2 form by POST. */
export async function tokenAnswer(request: Request, client: string | undefined, options: TokenServiceOptions): Promise<Response> {
  const { mesh, tokens, login, knowledge, mirrors } = options
  const read = await readRequest(request)
  const asked = { ...read, scopes: await mirrors.scopes(request, read.scopes) }
  if (asked.credentials !== undefined) {
    const { token, expiresIn } = await login.login({ ...asked.credentials, scopes: asked.scopes, client })
    return answer(token, expiresIn, mesh.origin.now())
  }
  const access = await grantedAccess(ANONYMOUS, asked.scopes, knowledge, SCOPES_OF_A_TOKEN)
  const { token, issuedAt, expiresIn } = await tokens.signAnonymous(access)
  return answer(token, expiresIn, issuedAt)
}

interface Asked {
  readonly scopes: readonly string[]
  readonly credentials: { readonly username: string; readonly password: string } | undefined
}

async function readRequest(request: Request): Promise<Asked> {
  const basic = request.headers.get('Authorization')
  if (request.method !== 'POST') {
    return { scopes: new URL(request.url).searchParams.getAll('scope'), credentials: basic === null ? undefined : basicCredentials(basic) }
  }
  const form = await readForm(request)
  if (form.get('grant_type') === null) return { scopes: form.getAll('scope'), credentials: basic === null ? undefined : basicCredentials(basic) }
  const [username, password] = [form.get('username'), form.get('password')]
  if (form.get('grant_type') !== 'password' || username === null || password === null) {
    throw new RegistryError('UNSUPPORTED', 'Tokens are given for grant_type=password with username and password.', undefined, { status: 400 })
  }
  return { scopes: form.getAll('scope'), credentials: { username, password } }
}

const LOG_IN = { 'WWW-Authenticate': 'Basic realm="Atoll", charset="UTF-8"' }

const FORM_BYTES = 64 * 1024

async function readForm(request: Request): Promise<URLSearchParams> {
  let size = 0
  let text = ''
  const decoder = new TextDecoder()
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength
    if (size > FORM_BYTES) throw new RegistryError('SIZE_INVALID', 'A token request is a short form.', undefined, { status: 413 })
    text += decoder.decode(chunk, { stream: true })
  }
  return new URLSearchParams(text + decoder.decode())
}

function basicCredentials(header: string): { readonly username: string; readonly password: string } {
  const credentials = parseBasic(header)
  if (credentials !== undefined) return credentials
  throw new RegistryError('UNAUTHORIZED', 'Log in with a user name and a password (Basic).', undefined, { headers: LOG_IN })
}

function answer(token: string, expiresIn: number, issuedAt: number): Response {
  return Response.json(
    { token, access_token: token, expires_in: expiresIn, issued_at: new Date(issuedAt).toISOString() },
    { headers: { 'Cache-Control': 'no-store' } },
  )
}

/** Not 401: clients throw a login away that is answered so. */
function away(cause: unknown): RegistryError {
  return new RegistryError(
    'UNAVAILABLE',
    'The origin of this edge cannot be reached, so this login cannot be checked now: whoever has logged in here before is known here, until the grace of this edge is over. Your credentials are kept as they are: try again in a moment.',
    undefined,
    { cause, headers: { 'Retry-After': String(RETRY_AFTER_S) } },
  )
}
