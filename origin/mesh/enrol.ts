import { createHash } from 'node:crypto'
import { z } from 'zod'
import { keyId, verifyRequest } from '../../mesh/signing.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { Database } from '../../schema/database.ts'
import { type Edge, enrolEdge } from '../../schema/edges.ts'

/** 32 bytes in base64url. */
const POINT = /^[A-Za-z0-9_-]{43}$/

export const enrolmentRequest = z.object({
  token: z.string().min(1).max(256),
  // What else a key may bring along is dropped, a private half above all.
  publicKey: z.object({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string().regex(POINT) }),
  proof: z.string().max(4096),
  url: z.url({ protocol: /^https?$/ }).max(2048),
  version: z.string().max(64),
})

/** What is kept of a one-time token. */
export function enrolmentTokenHash(token: string): string {
  return createHash('sha256').update(token).digest('base64url')
}

/**
 * Takes a one-time token and makes an edge of who holds it and proves to hold the key. Of many who try with one token, one succeeds.
 * @throws RegistryError UNAUTHORIZED, 409 an edge of this name is active
 */
export async function admitEdge(
  db: Database,
  { token, publicKey, proof, url, version }: z.infer<typeof enrolmentRequest>,
  request: Request,
  { newId, now }: { readonly newId: () => string; readonly now: () => number },
): Promise<Edge> {
  const kid = await keyId(publicKey)
  try {
    await verifyRequest(proof, request, { id: kid, publicKey: { ...publicKey, kid } }, now())
  } catch (cause) {
    throw new RegistryError('UNAUTHORIZED', 'The proof does not show that this key is yours, now.', undefined, { cause })
  }
  const publicJwk = { ...publicKey, kid, alg: 'EdDSA', use: 'sig' }
  const edge = await enrolEdge(db, { tokenHash: enrolmentTokenHash(token), id: newId(), url, publicJwk, version })
  if (edge === undefined) throw new RegistryError('UNAUTHORIZED', 'This token is not known, was used already, or has expired')
  return edge
}
