import { type CryptoKey, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import { keyId, type SigningKey } from '../../mesh/signing.ts'
import type { Secrets } from '../services.ts'

/** A signing key as it is kept. Times are milliseconds since the epoch. */
export interface StoredKey {
  readonly kid: string
  readonly publicJwk: JWK
  readonly sealedPrivate: string
  readonly createdAt: number
  /** undefined: it signs. */
  readonly retiredAt: number | undefined
}

export type NewKey = Pick<StoredKey, 'kid' | 'publicJwk' | 'sealedPrivate'>

/** Where keys are kept; key-store.ts has the real one. */
export interface KeyStore {
  /** All that may still have signed something good, oldest first. */
  all(): Promise<readonly StoredKey[]>
  /** Keeps the key unless there is one that signs and was made after `since`; then nothing happens. */
  settle(key: NewKey, since?: number): Promise<void>
  add(key: NewKey, actor: string): Promise<void>
  /** From now on it signs nothing new. */
  retire(kid: string): Promise<void>
  /** What it signed is good no more. False: there is none. */
  remove(kid: string, actor: string): Promise<boolean>
}

export interface KeyRingOptions {
  readonly store: KeyStore
  readonly secrets: Secrets
  readonly now: () => number
  /** Whether a key may be made when there is none: not where all keys come from another site. */
  readonly mayMake?: boolean
}

/** A new key is published for so long before it signs, so that edges and other processes know it by then. In milliseconds. */
export const KEY_LEAD_MS = 120_000
/** A retired key is published for so long: longer than any token lives, and than any edge may trust a document without its origin. In milliseconds. */
export const KEY_OVERLAP_MS = 31 * 86_400_000

interface Signer extends SigningKey {
  readonly createdAt: number
}

/**
 * The keys that this origin signs with. The newest signs once it has been published for a while; those before it are retired then, and
 * still published until what they signed is over.
 */
export class KeyRing {
  readonly #options: KeyRingOptions
  /** Those that are not retired, oldest first. */
  #signers: readonly Signer[] = []
  #jwks: { readonly keys: readonly JWK[] } = { keys: [] }
  readonly #withdrawn = new Set<string>()
  #reading: Promise<void> = Promise.resolve()

  private constructor(options: KeyRingOptions) {
    this.#options = options
  }

  /** Makes the first key when there is none. */
  static async open(options: KeyRingOptions): Promise<KeyRing> {
    const stored = await options.store.all()
    if (options.mayMake !== false && !stored.some((key) => key.retiredAt === undefined)) await options.store.settle(await makeKey(options.secrets))
    const ring = new KeyRing(options)
    await ring.reload()
    return ring
  }

  get signing(): SigningKey {
    const signer = this.#signers[this.#current()]
    if (signer === undefined) throw new TypeError('The database has no key to sign with.')
    return signer
  }

  /** The public halves (RFC 7517). A new object whenever they change. */
  get jwks(): { readonly keys: readonly JWK[] } {
    return this.#jwks
  }

  /** What is published, and what of it signs, for administrators. */
  async list(): Promise<{ readonly kid: string; readonly createdAt: number; readonly retiredAt: number | undefined; readonly signs: boolean }[]> {
    const { kid: signing } = this.signing
    const stored = await this.#options.store.all()
    return stored.map(({ kid, createdAt, retiredAt }) => ({ kid, createdAt, retiredAt, signs: kid === signing }))
  }

  /** Reads the keys again: another process may have changed them. One reading after another, so that the last to begin has the last word. */
  reload(): Promise<void> {
    const read = () => this.#read()
    this.#reading = this.#reading.then(read, read)
    return this.#reading
  }

  async #read(): Promise<void> {
    const { store, secrets } = this.#options
    const stored = (await store.all()).filter(({ kid }) => !this.#withdrawn.has(kid))
    const known = new Map(this.#signers.map((signer) => [signer.kid, signer]))
    const signers = stored
      .filter(({ retiredAt }) => retiredAt === undefined)
      .map(async (key) => known.get(key.kid) ?? { kid: key.kid, createdAt: key.createdAt, privateKey: await unsealed(key, secrets) })
    this.#signers = await Promise.all(signers)
    this.#jwks = { keys: stored.map((key) => key.publicJwk) }
  }

  /** Publishes a new key, which signs after KEY_LEAD_MS. */
  async rotate(actor: string): Promise<void> {
    await this.#options.store.add(await makeKey(this.#options.secrets), actor)
    await this.reload()
  }

  /**
   * Takes a key out: nothing that it signed is good from now on. If nothing else can sign, a new key does, at once. For a key that somebody
   * else may have. False: there is none.
   */
  async withdraw(kid: string, actor: string): Promise<boolean> {
    const { store } = this.#options
    if (!(await store.all()).some((key) => key.kid === kid)) return false
    if (this.#signers.every((signer) => signer.kid === kid)) await store.add(await makeKey(this.#options.secrets), actor)
    // Not even the news of its end is signed with it.
    this.#withdrawn.add(kid)
    await this.reload()
    return await store.remove(kid, actor)
  }

  /** What time asks for: a new key when the newest is older than `lifetime`, the retirement of those before it, the end of the retired. Milliseconds. */
  async tend(lifetime: number): Promise<void> {
    const { store, now } = this.#options
    await this.reload()
    const newest = this.#signers.at(-1)
    if (newest !== undefined && newest.createdAt + lifetime <= now()) await store.settle(await makeKey(this.#options.secrets), newest.createdAt)
    for (const { kid } of this.#signers.slice(0, this.#current())) await store.retire(kid)
    for (const { kid, retiredAt } of await store.all()) {
      if (retiredAt !== undefined && retiredAt + KEY_OVERLAP_MS <= now()) await store.remove(kid, 'system')
    }
    await this.reload()
  }

  /** The newest that has been published long enough, else the oldest. */
  #current(): number {
    const now = this.#options.now()
    return Math.max(
      0,
      this.#signers.findLastIndex(({ createdAt }) => createdAt + KEY_LEAD_MS <= now),
    )
  }
}

async function unsealed({ kid, sealedPrivate }: StoredKey, secrets: Secrets): Promise<CryptoKey> {
  const jwk = JSON.parse(await secrets.unseal(sealedPrivate, purpose(kid))) as JWK
  return (await importJWK(jwk, 'EdDSA')) as CryptoKey
}

/** A new key, its private half sealed for the database. Its id never begins with a dash: a command line would take that for an option. */
export async function makeKey(secrets: Secrets): Promise<NewKey> {
  const { privateKey, publicKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
  const half = await exportJWK(publicKey)
  const kid = await keyId(half)
  if (kid.startsWith('-')) return makeKey(secrets)
  return {
    kid,
    publicJwk: { ...half, kid, alg: 'EdDSA', use: 'sig' },
    sealedPrivate: await secrets.seal(JSON.stringify(await exportJWK(privateKey)), purpose(kid)),
  }
}

function purpose(kid: string): string {
  return `signing-key:${kid}`
}
