import { type CryptoKey, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import { keyId, type SigningKey } from '../../mesh/signing.ts'
import type { Secrets } from '../services.ts'

/** A signing key as it is kept. */
export interface StoredKey {
  readonly kid: string
  readonly publicJwk: JWK
  readonly sealedPrivate: string
  /** Milliseconds since the epoch; undefined: it signs. */
  readonly retiredAt: number | undefined
}

/** Where keys are kept; schema/ has the real one. */
export interface KeyStore {
  /** All that may still have signed something good, oldest first. */
  all(): Promise<readonly StoredKey[]>
  /** Keeps the key unless `unlessAny` is true and there is one that signs; then nothing happens. */
  add(key: Omit<StoredKey, 'retiredAt'>, unlessAny: boolean): Promise<void>
  /** From now on it signs nothing new. */
  retire(kid: string): Promise<void>
  /** What it signed is good no more. */
  remove(kid: string): Promise<void>
}

export interface KeyRingOptions {
  readonly store: KeyStore
  readonly secrets: Secrets
  readonly now: () => number
}

/** The keys that this origin signs with: the newest signs, retired ones are still published until what they signed has expired. */
export class KeyRing {
  readonly #options: KeyRingOptions
  #signing: SigningKey
  #jwks: { readonly keys: readonly JWK[] }

  private constructor(options: KeyRingOptions, loaded: Loaded) {
    this.#options = options
    this.#signing = loaded.signing
    this.#jwks = loaded.jwks
  }

  /** Makes the first key when there is none. */
  static async open(options: KeyRingOptions): Promise<KeyRing> {
    const stored = await options.store.all()
    if (!stored.some((key) => key.retiredAt === undefined)) await options.store.add(await makeKey(options), true)
    return new KeyRing(options, await load(options))
  }

  get signing(): SigningKey {
    return this.#signing
  }

  /** The public halves (RFC 7517). A new object whenever they change. */
  get jwks(): { readonly keys: readonly JWK[] } {
    return this.#jwks
  }

  /** Reads the keys again: another process may have changed them. */
  async reload(): Promise<void> {
    const { signing, jwks } = await load(this.#options)
    this.#signing = signing
    this.#jwks = jwks
  }

  /**
   * A new key signs from now on. The old ones stay published for `overlap` milliseconds, which must be longer than the life of a token;
   * those whose time is over are taken out.
   */
  async rotate(overlap: number): Promise<void> {
    const { store, now } = this.#options
    const before = await store.all()
    await store.add(await makeKey(this.#options), false)
    for (const key of before) {
      if (key.retiredAt === undefined) await store.retire(key.kid)
      else if (key.retiredAt + overlap <= now()) await store.remove(key.kid)
    }
    await this.reload()
  }
}

interface Loaded {
  readonly signing: SigningKey
  readonly jwks: { readonly keys: readonly JWK[] }
}

async function load({ store, secrets }: KeyRingOptions): Promise<Loaded> {
  const stored = await store.all()
  const newest = stored.filter((key) => key.retiredAt === undefined).at(-1)
  if (newest === undefined) throw new TypeError('The database has no key to sign with.')
  const jwk = JSON.parse(await secrets.unseal(newest.sealedPrivate, purpose(newest.kid))) as JWK
  const privateKey = (await importJWK(jwk, 'EdDSA')) as CryptoKey
  return { signing: { kid: newest.kid, privateKey }, jwks: { keys: stored.map((key) => key.publicJwk) } }
}

async function makeKey({ secrets }: KeyRingOptions): Promise<Omit<StoredKey, 'retiredAt'>> {
  const { privateKey, publicKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
  const half = await exportJWK(publicKey)
  const kid = await keyId(half)
  return {
    kid,
    publicJwk: { ...half, kid, alg: 'EdDSA', use: 'sig' },
    sealedPrivate: await secrets.seal(JSON.stringify(await exportJWK(privateKey)), purpose(kid)),
  }
}

function purpose(kid: string): string {
  return `signing-key:${kid}`
}
