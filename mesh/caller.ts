import { bar } from '../policy/decide.ts'
import { ANONYMOUS, type Principal, type SubjectId } from '../policy/facts.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import type { AccessToken, TokenAccess } from './tokens.ts'

/** Who sends a request, and by what means. */
export interface Caller {
  readonly principal: Principal
  /** Present when it came with a token: the token is good for these things only. */
  readonly access?: readonly TokenAccess[]
  /** Whether it said who it is. */
  readonly presented: boolean
  /** Of the credential that was presented, where it is known. */
  readonly credentialVersion?: number
}

export const NOBODY: Caller = { principal: ANONYMOUS, presented: false }

/** Somebody who can hold a token, as things are now. */
export interface Holder {
  readonly principal: Principal
  /** Goes up with each new secret. */
  readonly credentialVersion: number
}

/**
 * Who holds this token. It ends with its account, with the secret that it was given for, and while the account is disabled or after it has
 * expired, whatever its own time says. `now` is milliseconds since the epoch. @throws RegistryError UNAUTHORIZED
 */
export async function bearer(token: AccessToken, holderOf: (id: SubjectId) => Promise<Holder | undefined>, now: number): Promise<Caller> {
  const { subject, access } = token
  if (subject === ANONYMOUS.id) return { principal: ANONYMOUS, access, presented: true }
  const holder = await holderOf(subject)
  if (holder === undefined) throw new RegistryError('UNAUTHORIZED', 'The account that this token was for is gone.')
  if (holder.credentialVersion !== token.credentialVersion) {
    throw new RegistryError('UNAUTHORIZED', 'The password that this token was given for has been changed since. Log in again.')
  }
  return { principal: inGoodStanding(holder.principal, now), access, presented: true, credentialVersion: holder.credentialVersion }
}

/** @throws RegistryError UNAUTHORIZED with the reason, for an account that is disabled or has expired */
export function inGoodStanding(principal: Principal, now: number): Principal {
  const refusal = bar(principal, now)
  if (refusal !== undefined) throw new RegistryError('UNAUTHORIZED', refusal.message)
  return principal
}
