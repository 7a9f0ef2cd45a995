import { importPKCS8, SignJWT } from 'jose'
import { RegistryError } from '../../spec/errors.ts'
import type { Credentials } from '../authorizer.ts'
import { readJson } from '../bodies.ts'
import { upstreamError, upstreamInvalid } from '../errors.ts'
import { type Expiring, Renewed } from '../renewed.ts'
import { generic } from './generic.ts'
import type { Vendor, VendorContext } from './vendor.ts'

const KEY_USER = '_json_key'
const KEY_USER_BASE64 = '_json_key_base64'
/** What an access token logs in as. */
const TOKEN_USER = 'oauth2accesstoken'
const SCOPE = 'https://www.googleapis.com/auth/cloud-platform'
const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
/** How long an assertion is good for: it is used at once, and Google allows an hour. */
const ASSERTION_LIFE_S = 300
const TOKEN_MARGIN_MS = 5 * 60_000
const TOKEN_LIFE_S = 3600

interface ServiceAccount {
  readonly email: string
  readonly keyId: string | undefined
  readonly privateKey: string
  readonly tokenUri: URL
}

/**
 * Google's Container Registry and Artifact Registry. A service account's key (`_json_key` and its file) signs an assertion that is exchanged for an
 * access token (RFC 7523), and only that token logs in: the key goes nowhere.
 */
export const googleGcr: Vendor = {
  ...generic,
  type: 'google-gcr',
  open: (context) => {
    const { credentials, transport } = context
    if (credentials?.username !== KEY_USER && credentials?.username !== KEY_USER_BASE64) return {}
    const token = new Renewed(() => accessToken(context, credentials), transport.clock, TOKEN_MARGIN_MS)
    return { authorizer: context.challenge({ credentials: async () => ({ username: TOKEN_USER, password: await token.value() }) }) }
  },
}

export const googleGar: Vendor = { ...googleGcr, type: 'google-gar' }

async function accessToken(context: VendorContext, credentials: Credentials): Promise<Expiring<string>> {
  const { transport } = context
  const account = readKey(context, credentials)
  const now = transport.clock.now()
  const key = await importPKCS8(account.privateKey, 'RS256').catch(() => {
    throw notAKey('its private_key is no PKCS #8 key in PEM')
  })
  const assertion = await new SignJWT({ scope: SCOPE })
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', ...(account.keyId !== undefined && { kid: account.keyId }) })
    .setIssuer(account.email)
    .setSubject(account.email)
    .setAudience(account.tokenUri.href)
    .setIssuedAt(Math.floor(now / 1000))
    .setExpirationTime(Math.floor(now / 1000) + ASSERTION_LIFE_S)
    .sign(key)
  const reply = await transport.send({
    method: 'POST',
    url: account.tokenUri,
    headers: { Accept: 'application/json', 'Content-Type': 'application/x-www-form-urlencoded' },
    body: new TextEncoder().encode(new URLSearchParams({ grant_type: GRANT, assertion }).toString()),
    repeatable: true,
  })
  if (reply.status === 400 || reply.status === 401 || reply.status === 403) {
    await reply.discard()
    const message = `${account.tokenUri.host} does not accept the key of ${account.email}: it may have been deleted, or the account disabled, or our clock is wrong.`
    throw new RegistryError('DENIED', message, { upstream: account.tokenUri.host, status: reply.status })
  }
  if (reply.status !== 200) {
    await reply.discard()
    throw upstreamError({ ...reply, now }, '', 'an access token')
  }
  const { access_token: token, expires_in: life } = await readJson(reply, transport, transport.limits.tokenBytes)
  if (typeof token !== 'string' || token === '') throw upstreamInvalid(account.tokenUri, 'hands out a token that is none.')
  const seconds = typeof life === 'number' && life > 0 ? Math.min(life, TOKEN_LIFE_S) : TOKEN_LIFE_S
  return { value: token, expires: now + seconds * 1000 }
}

/** @throws RegistryError DENIED, which never quotes the file */
function readKey({ base }: VendorContext, { username, password }: Credentials): ServiceAccount {
  let file: Partial<Record<string, unknown>>
  try {
    file = JSON.parse(username === KEY_USER_BASE64 ? atob(password) : password)
  } catch {
    throw notAKey('it is not JSON')
  }
  const { type, client_email: email, private_key_id: keyId, private_key: privateKey, token_uri: uri = 'https://oauth2.googleapis.com/token' } = file
  if (type !== 'service_account') throw notAKey('its type is not service_account')
  if (typeof email !== 'string' || typeof privateKey !== 'string') throw notAKey('client_email or private_key is missing')
  const tokenUri = typeof uri === 'string' ? URL.parse(uri) : null
  // A stand-in may hand out its own tokens, as its registry is asked.
  if (tokenUri === null || (tokenUri.protocol !== 'https:' && tokenUri.host !== base.host)) throw notAKey('its token_uri is no https address')
  return { email, keyId: typeof keyId === 'string' ? keyId : undefined, privateKey, tokenUri }
}

function notAKey(why: string): RegistryError {
  return new RegistryError('DENIED', `The secret is no key file of a service account: ${why}. Download one in JSON and give all of it.`)
}
