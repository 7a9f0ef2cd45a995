import { randomBytes } from 'node:crypto'
import { basic, type Credentials } from './tenant.ts'

/** Secrets that a test hands out to be used, and then looks for wherever they must not be: as they are, and in the clothes that HTTP puts them in. */
export class Planted {
  readonly #forms = new Map<string, string>()

  /** A new secret that Harbor's rules for passwords allow. */
  make(name: string): string {
    return this.plant(name, `Aa1${randomBytes(12).toString('hex')}`)
  }

  plant(name: string, value: string): string {
    if (value.length < 12) throw new TypeError(`${name} is too short to be told from chance`)
    this.#forms.set(name, value)
    const bytes = Buffer.from(value)
    for (const encoding of ['base64', 'base64url'] as const) this.#forms.set(`${name}, in ${encoding}`, bytes.toString(encoding).replace(/=+$/, ''))
    const quoted = encodeURIComponent(value)
    if (quoted !== value) this.#forms.set(`${name}, in a URL`, quoted)
    return value
  }

  /** A login; its header is a secret as well. */
  login(credentials: Credentials, name = `the password of ${credentials.username}`): Credentials {
    this.plant(name, credentials.password)
    this.#forms.set(`${name}, as a header`, basic(credentials).slice('Basic '.length))
    return credentials
  }

  get size(): number {
    return this.#forms.size
  }

  /** The names of those that are in there. */
  foundIn(content: Uint8Array | string): string[] {
    const bytes = typeof content === 'string' ? Buffer.from(content) : Buffer.from(content.buffer, content.byteOffset, content.byteLength)
    return [...this.#forms].filter(([, value]) => bytes.includes(value)).map(([name]) => name)
  }
}
