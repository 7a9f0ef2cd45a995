import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import type { Enrolment } from '../mesh/enrolment.ts'
import type { SigningKey } from '../mesh/signing.ts'
import type { Kept } from './kept.ts'

/** An edge's own key pair. It is made at the edge, and the private half stays there. */
export interface EdgeKey extends SigningKey {
  readonly publicKey: JWK
}

/** An enrolled edge: who it is to its origin, and the key it proves that with. */
export interface Member {
  readonly enrolment: Enrolment
  readonly key: EdgeKey
}

const KEY = 'identity/key'

/** The key pair as it is kept; made when there is none yet. */
export async function keyPair(kept: Kept): Promise<JWK> {
  const found = await kept.get(KEY)
  if (isPrivateKey(found)) return found
  const made = await newKeyPair()
  await replaceKeyPair(kept, made)
  return made
}

export async function newKeyPair(): Promise<JWK> {
  const pair = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
  return await exportJWK(pair.privateKey)
}

export async function replaceKeyPair(kept: Kept, pair: JWK): Promise<void> {
  await kept.set(KEY, pair)
}

/** A key pair ready to sign: the private half can be used from here on, but not read. */
export async function edgeKey({ d, ...half }: JWK): Promise<EdgeKey> {
  const publicKey = { kty: half.kty, crv: half.crv, x: half.x } as JWK
  const kid = await calculateJwkThumbprint(publicKey)
  const privateKey = await importJWK({ ...publicKey, ...(d !== undefined && { d }) } as JWK, 'EdDSA', { extractable: false })
  return { kid, privateKey: privateKey as CryptoKey, publicKey: { ...publicKey, kid, alg: 'EdDSA', use: 'sig' } }
}

/** A key for MACs that only this edge can make, derived from the private half of its pair (HKDF, RFC 5869). `purpose` keeps one use from another. */
export async function macKey({ d }: JWK, purpose: string): Promise<CryptoKey> {
  if (d === undefined) throw new TypeError('Only who holds the private half of a key pair can derive keys from it.')
  const text = new TextEncoder()
  const seed = await crypto.subtle.importKey('raw', text.encode(d), 'HKDF', false, ['deriveKey'])
  const info = text.encode(`atoll ${purpose}`)
  const mac = { name: 'HMAC', hash: 'SHA-256', length: 256 }
  return await crypto.subtle.deriveKey({ name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(32), info }, seed, mac, false, ['sign'])
}

function isPrivateKey(value: unknown): value is JWK {
  return typeof value === 'object' && value !== null && 'd' in value && 'x' in value && 'crv' in value && value.crv === 'Ed25519'
}
