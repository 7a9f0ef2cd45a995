import type { JWK } from 'jose'
import type { Enrolment } from '../mesh/enrolment.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import { edgeKey, keyPair, type Member } from './identity.ts'
import type { Kept } from './kept.ts'
import type { OriginClient } from './origin-client.ts'

export interface EnrolmentOptions {
  readonly kept: Kept
  readonly origin: OriginClient
  /** The one-time token; a function is only asked when one is needed. */
  readonly token: string | (() => Promise<string>) | undefined
  /** Where clients reach this edge. */
  readonly url: string
  readonly version: string
}

const ENROLMENT = 'identity/enrolment'

/**
 * Makes the client of the origin a member: with the enrolment that is kept, or with a one-time token.
 * @throws EnrolmentRefused when only an administrator can help; RegistryError UNAVAILABLE when the origin does not answer
 */
export async function joinOrigin(options: EnrolmentOptions): Promise<Member> {
  const key = await edgeKey(await keyPair(options.kept))
  const found = (await options.kept.get(ENROLMENT)) as Enrolment | undefined
  const enrolment = found ?? (await enrol(options, key))
  if (found === undefined) await options.kept.set(ENROLMENT, enrolment)
  const member = { enrolment, key }
  options.origin.join(member)
  return member
}

/** Keeps the origin's keys over a restart: one that was withdrawn must not come back with it. Call it after `joinOrigin`. */
export async function keepKeys({ kept, origin }: Pick<EnrolmentOptions, 'kept' | 'origin'>, keys: readonly JWK[]): Promise<void> {
  const { enrolment, key } = origin.member
  await kept.set(ENROLMENT, { ...enrolment, jwks: { keys } } satisfies Enrolment)
  origin.join({ enrolment: { ...enrolment, jwks: { keys } }, key })
}

/** The origin, or the lack of a token, says no. The message is for whoever starts the edge. */
export class EnrolmentRefused extends Error {
  override readonly name = 'EnrolmentRefused'
}

async function enrol({ origin, token, url, version }: EnrolmentOptions, key: Member['key']): Promise<Enrolment> {
  const secret = typeof token === 'function' ? await token() : token
  if (secret === undefined) {
    throw new EnrolmentRefused('This edge is not enrolled: make a token with `atoll edge token`, and start it with that as edge.enrolment_token.')
  }
  const { status, text } = await origin.enrol(key, { token: secret, url, version })
  if (status === 201 || status === 200) return JSON.parse(text) as Enrolment
  if (status >= 500 || status === 429) throw new RegistryError('UNAVAILABLE', `The origin answered ${status} to the enrolment of this edge.`)
  throw new EnrolmentRefused(
    `The origin refused to enrol this edge (${status}): ${sentence(text)}. A token is good once, and for an hour: make a new one with \`atoll edge token\`.`,
  )
}

/** The message inside an error's body, whichever envelope it has. */
function sentence(body: string): string {
  try {
    const { errors, message } = JSON.parse(body) as { errors?: { message?: string }[]; message?: string }
    return (errors?.[0]?.message ?? message ?? 'no reason given').replace(/\.$/, '')
  } catch {
    return 'no reason given'
  }
}
