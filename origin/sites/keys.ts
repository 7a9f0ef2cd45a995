import { CompactEncrypt, type CryptoKey, compactDecrypt, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import { keyId, type SigningKey } from '../../mesh/signing.ts'
import type { SiteCard } from '../../mesh/sites.ts'
import type { Secrets } from '../services.ts'

const PURPOSE = 'site keys'
const TO_PEER = { alg: 'ECDH-ES', enc: 'A256GCM' } as const

/** A site's own key pairs: one to sign with, and one that its peer seals secrets for. The private halves never leave it. */
export interface SiteKeys {
  readonly signing: SigningKey
  /** What the peer sealed for us. @throws jose's errors */
  open(jwe: string): Promise<string>
}

/** @returns the public halves, and the private ones as they may be kept */
export async function makeSiteKeys(secrets: Secrets): Promise<Pick<SiteCard, 'signing' | 'encryption'> & { readonly sealed: string }> {
  const sign = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
  const encrypt = await generateKeyPair('ECDH-ES', { crv: 'X25519', extractable: true })
  const halves = { signing: await exportJWK(sign.privateKey), encryption: await exportJWK(encrypt.privateKey) }
  return {
    signing: await publicHalf(halves.signing),
    encryption: await publicHalf(halves.encryption),
    sealed: await secrets.seal(JSON.stringify(halves), PURPOSE),
  }
}

export async function openSiteKeys(sealed: string, secrets: Secrets): Promise<SiteKeys> {
  const { signing, encryption } = JSON.parse(await secrets.unseal(sealed, PURPOSE)) as { signing: JWK; encryption: JWK }
  const { kid = '' } = await publicHalf(signing)
  const decryption = (await importJWK(encryption, TO_PEER.alg)) as CryptoKey
  return {
    signing: { kid, privateKey: (await importJWK(signing, 'EdDSA')) as CryptoKey },
    async open(jwe) {
      const { plaintext } = await compactDecrypt(jwe, decryption, {
        keyManagementAlgorithms: [TO_PEER.alg],
        contentEncryptionAlgorithms: [TO_PEER.enc],
      })
      return new TextDecoder().decode(plaintext)
    },
  }
}

/** A secret that only the holder of this key can open (RFC 7518, section 4.6). */
export async function sealFor(encryption: JWK, secret: string): Promise<string> {
  return await new CompactEncrypt(new TextEncoder().encode(secret))
    .setProtectedHeader({ ...TO_PEER, ...(encryption.kid !== undefined && { kid: encryption.kid }) })
    .encrypt(await importJWK(encryption, TO_PEER.alg))
}

async function publicHalf({ kty, crv, x }: JWK): Promise<JWK> {
  const half = { kty, crv, x } as JWK
  return { ...half, kid: await keyId(half) }
}
