import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'
import { mkdir, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SettingsError } from '../runtime/settings/read.ts'
import type { Secrets } from './services.ts'

// Sealing of secrets for rest: AES-256-GCM. What is sealed is text: `v1.<key id>.<nonce>.<tag>.<ciphertext>`, each part base64url.

const KEY_BYTES = 32
const NONCE_BYTES = 12
const KEY_FILE = 'secret.key'

/** The key that everything else at rest depends on. Keys for other uses are derived from it, each for its purpose. */
export class SecretKey {
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    if (bytes.length !== KEY_BYTES) throw new SettingsError([`secret_key: expected ${KEY_BYTES} bytes in base64, got ${bytes.length}`])
    this.#bytes = bytes
  }

  /** A key for one purpose: knowing it tells nothing of the others. */
  derive(purpose: string): Buffer {
    return createHmac('sha256', this.#bytes).update(`atoll:${purpose}`).digest()
  }
}

/** The configured key, or the one in the data folder, which is made at the first start and readable by its owner alone. */
export async function loadSecretKey(configured: string | undefined, dataVolume: string): Promise<SecretKey> {
  if (configured !== undefined) return new SecretKey(Buffer.from(configured, 'base64'))
  await mkdir(dataVolume, { recursive: true })
  const path = join(dataVolume, KEY_FILE)
  const made = randomBytes(KEY_BYTES)
  try {
    const file = await open(path, 'wx', 0o600)
    try {
      await file.writeFile(`${made.toString('base64')}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    const folder = await open(dataVolume)
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
    return new SecretKey(made)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    return new SecretKey(Buffer.from((await readFile(path, 'utf8')).trim(), 'base64'))
  }
}

export function createSecrets(key: SecretKey): Secrets {
  const bytes = key.derive('seal')
  const keyId = key.derive('seal id').toString('base64url').slice(0, 8)
  return {
    async seal(secret, purpose) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv('aes-256-gcm', bytes, nonce)
      cipher.setAAD(Buffer.from(purpose))
      const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()])
      return ['v1', keyId, ...[nonce, cipher.getAuthTag(), sealed].map((part) => part.toString('base64url'))].join('.')
    },
    async unseal(sealed, purpose) {
      const [version, id, nonce, tag, text] = sealed.split('.')
      if (version !== 'v1' || nonce === undefined || tag === undefined || text === undefined) throw new TypeError('This is not a sealed secret.')
      if (id !== keyId) throw new TypeError(`This secret was sealed with key ${id}; the configured secret_key is ${keyId}.`)
      const decipher = createDecipheriv('aes-256-gcm', bytes, Buffer.from(nonce, 'base64url'), { authTagLength: 16 })
      decipher.setAAD(Buffer.from(purpose))
      decipher.setAuthTag(Buffer.from(tag, 'base64url'))
      return Buffer.concat([decipher.update(Buffer.from(text, 'base64url')), decipher.final()]).toString('utf8')
    },
  }
}
