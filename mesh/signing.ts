import { CompactSign, type CryptoKey, calculateJwkThumbprint, compactVerify, createLocalJWKSet, type JWK, jwtVerify, SignJWT } from 'jose'

// One way to sign for all of the mesh: compact JWS with EdDSA. `typ` keeps one kind of document from passing for another.

export type DocumentType = 'atoll-policy+jws' | 'atoll-feed+jws' | 'atoll-site+jws'

export interface SigningKey {
  readonly kid: string
  readonly privateKey: CryptoKey
}

const ALGORITHMS = ['EdDSA', 'Ed25519']
const PROOF_TYPE = 'atoll-proof+jwt'
/** How old a proof may be, and how far the two clocks may be apart besides, in seconds. */
export const PROOF_WINDOW_S = 60
/** How long the verifier remembers `jti`, in seconds: a proof from a clock that is early can be used from a window before its time to two after it. */
export const PROOF_MEMORY_S = 3 * PROOF_WINDOW_S

export async function signDocument(type: DocumentType, document: unknown, key: SigningKey): Promise<string> {
  return await new CompactSign(new TextEncoder().encode(JSON.stringify(document)))
    .setProtectedHeader({ alg: 'EdDSA', typ: type, kid: key.kid })
    .sign(key.privateKey)
}

/** The document, if one of these keys signed it as that type. @throws jose's errors otherwise */
export async function verifyDocument<T>(type: DocumentType, jws: string, jwks: { readonly keys: readonly JWK[] }): Promise<T> {
  const keys = createLocalJWKSet({ keys: [...jwks.keys] })
  const { payload, protectedHeader } = await compactVerify(jws, keys, { algorithms: ALGORITHMS })
  if (protectedHeader.typ !== type) throw new TypeError(`expected a signed ${type}, got ${protectedHeader.typ}`)
  return JSON.parse(new TextDecoder().decode(payload)) as T
}

/** A signature over one request: method, URL without query, time and a nonce (the idea of DPoP, RFC 9449). Sent as `Authorization: Atoll-Edge <proof>`. */
export async function signRequest(
  request: { method: string; url: string },
  edge: { id: string; key: SigningKey },
  now: number,
  nonce: string,
): Promise<string> {
  return await new SignJWT({ htm: request.method, htu: target(request.url) })
    .setProtectedHeader({ alg: 'EdDSA', typ: PROOF_TYPE, kid: edge.key.kid })
    .setIssuer(edge.id)
    .setIssuedAt(Math.floor(now / 1000))
    .setJti(nonce)
    .sign(edge.key.privateKey)
}

/** What a proof between two edges is made for: the path with the edge that it is meant for, so that this one cannot use it elsewhere. */
export function neighbourTarget(edge: string, url: URL): URL {
  return new URL(`/neighbour/${encodeURIComponent(edge)}${url.pathname}`, url)
}

/** @returns the nonce, which the caller must not accept twice. @throws jose's errors, TypeError */
export async function verifyRequest(
  proof: string,
  request: { method: string; url: string },
  edge: { id: string; publicKey: JWK },
  now: number,
): Promise<string> {
  const keys = createLocalJWKSet({ keys: [edge.publicKey] })
  const { payload } = await jwtVerify(proof, keys, {
    algorithms: ALGORITHMS,
    typ: PROOF_TYPE,
    issuer: edge.id,
    maxTokenAge: PROOF_WINDOW_S,
    clockTolerance: PROOF_WINDOW_S,
    currentDate: new Date(now),
    requiredClaims: ['jti', 'htm', 'htu'],
  })
  if (payload.htm !== request.method || payload.htu !== target(request.url)) throw new TypeError('the proof is for another request')
  return payload.jti as string
}

export async function keyId(publicKey: JWK): Promise<string> {
  return await calculateJwkThumbprint(publicKey)
}

/** Host and scheme are left out: a load balancer may change both, and the edge's key already binds the proof to this origin. */
function target(url: string): string {
  return new URL(url).pathname
}
