import type { JWK } from 'jose'
import { type Enrolment, MESH } from '../mesh/enrolment.ts'
import { RegistryError } from '../registry/spec/errors.ts'
import { edgeKey, keyPair, type Member, newKeyPair, replaceKeyPair } from './identity.ts'
import type { Kept } from './kept.ts'
import type { OriginClient } from './origin-client.ts'

export interface EnrolmentOptions {
  readonly kept: Kept
  readonly origin: OriginClient
  /** The one-time token; a function is only asked when nothing is kept. */
  readonly token: string | (() => Promise<string>) | undefined
  /** Where clients reach this edge. */
  readonly url: string
  readonly version: string
}

const ENROLMENT = 'identity/enrolment'

/**
 * Makes the client of the origin a member: with the enrolment that is kept, or with a one-time token. `found`: one was kept, and the origin
 * has not been asked whether it is still good.
 * @throws EnrolmentRefused when only an administrator can help; RegistryError UNAVAILABLE when the origin does not answer
 */
export async function joinOrigin(options: EnrolmentOptions): Promise<Member & { readonly found: boolean }> {
  const key = await edgeKey(await keyPair(options.kept))
  const found = (await options.kept.get(ENROLMENT)) as Enrolment | undefined
  const enrolment = found ?? (await enrol(options, key))
  if (found === undefined) await options.kept.set(ENROLMENT, enrolment)
  options.origin.join({ enrolment, key })
  return { enrolment, key, found: found !== undefined }
}

/**
 * Asks the origin whether it still knows this member, and where it does not (it was revoked), enrols it anew with the token. Whatever is
 * thrown, it stays who it is. Call it after `joinOrigin`. Resolves to the new enrolment; undefined: the old one is good.
 * @throws EnrolmentRefused when it is revoked and the token is no good; RegistryError UNAVAILABLE when the origin does not say
 */
export async function enrolIfRevoked(
  { token, ...options }: EnrolmentOptions & { readonly token: string },
  { timeout }: { readonly timeout?: number } = {},
): Promise<Enrolment | undefined> {
  const { kept, origin } = options
  const { name } = origin.member.enrolment
  const { status } = await origin.ask('GET', MESH.mirrors, timeout === undefined ? {} : { timeout })
  if (status === 200) return undefined
  if (status !== 401 && status !== 403) {
    throw new RegistryError('UNAVAILABLE', `The origin answered ${status} when asked whether it still knows the edge ${name}.`, { status })
  }
  // The origin never takes the key of a revoked edge again: somebody else may have it.
  const pair = await newKeyPair()
  const key = await edgeKey(pair)
  const enrolment = await enrol({ ...options, token }, key).catch((error: unknown) => {
    if (!(error instanceof EnrolmentRefused)) throw error
    throw new EnrolmentRefused(`The origin does not know the edge ${name} any more, and does not take this token either. ${error.message}`)
  })
  await replaceKeyPair(kept, pair)
  await kept.set(ENROLMENT, enrolment)
  origin.join({ enrolment, key })
  return enrolment
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
