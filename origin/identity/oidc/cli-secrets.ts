import { randomBytes } from 'node:crypto'
import { sameSecret } from '../../../runtime/credentials/same.ts'
import type { Secrets } from '../../services.ts'

// What people of an OpenID provider log in with where nobody can be sent to it.

const PURPOSE = 'oidc cli secret'

/** Seals this secret, or a new one that nobody can guess. */
export async function sealCliSecret(secrets: Secrets, secret: string = randomBytes(24).toString('base64url')): Promise<string> {
  return await secrets.seal(secret, PURPOSE)
}

export async function unsealCliSecret(secrets: Secrets, sealed: string): Promise<string> {
  return await secrets.unseal(sealed, PURPOSE)
}

export async function isCliSecret(secrets: Secrets, sealed: string, given: string): Promise<boolean> {
  return sameSecret(await unsealCliSecret(secrets, sealed), given)
}
