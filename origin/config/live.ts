import type { Log } from '../../registry/log.ts'
import type { Database } from '../../schema/database.ts'
import { readSettings, writeSettings } from '../../schema/settings.ts'
import type { RecentChanges } from '../changes.ts'
import type { Secrets } from '../services.ts'
import { type LiveKey, type LiveValues, liveSettings, SECRET_OF } from './live-settings.ts'
import { sameServer } from './same-server.ts'

/** Where they are in the table of settings. */
const PREFIX = 'config.'
const KEYS = Object.keys(liveSettings) as LiveKey[]

export interface LiveOptions {
  readonly db: Database
  readonly recent: RecentChanges
  readonly secrets: Secrets
  readonly log: Log
  /** What file and environment said, with defaults for the rest. */
  readonly started: LiveValues
  /** The keys that file or environment set: nobody changes these while we run. */
  readonly fixed: ReadonlySet<string>
}

/** What is wrong with one wish. */
export class BadSetting extends Error {
  override readonly name = 'BadSetting'
  readonly key: string

  constructor(key: string, message: string) {
    super(message)
    this.key = key
  }
}

/** Settings that change while the origin runs: as they are now, whichever process changed them. */
export class LiveSettings {
  readonly #options: LiveOptions
  #known: Promise<LiveValues> | undefined

  constructor(options: LiveOptions) {
    this.#options = options
    options.recent.on((changes) => {
      if (changes === undefined || changes.some(({ kind, subject }) => kind === 'setting.updated' && subject.startsWith(PREFIX)))
        this.#known = undefined
    })
  }

  async all(): Promise<LiveValues> {
    const wait = this.#options.recent.settled()
    if (wait !== undefined) await wait
    this.#known ??= this.#read()
    const known = this.#known
    known.catch(() => {
      if (this.#known === known) this.#known = undefined
    })
    return await known
  }

  async get<K extends LiveKey>(key: K): Promise<LiveValues[K]> {
    return (await this.all())[key]
  }

  isFixed(key: LiveKey): boolean {
    return this.#options.fixed.has(key)
  }

  /** Changes some; an empty text or null brings back the default of one that may be absent. @throws BadSetting, before anything is changed */
  async change(wishes: ReadonlyMap<LiveKey, unknown>, actor: string): Promise<void> {
    const now = await this.all()
    refuseMovedSecrets(wishes, now)
    const entries: { key: string; value: NonNullable<unknown> | undefined }[] = []
    for (const [key, wish] of wishes) {
      const { kind, default: fallback, secret } = liveSettings[key]
      const empty = wish === null || (wish === '' && fallback === undefined)
      const value = empty ? undefined : kind.read(wish)
      if (!empty && value === undefined) throw new BadSetting(key, `expected ${kind.expected}`)
      const effective = value ?? fallback
      if (JSON.stringify(effective) === JSON.stringify(now[key])) continue
      if (this.isFixed(key)) throw new BadSetting(key, 'is set by the configuration file or the environment; change it there')
      const kept = secret === true && typeof value === 'string' ? await this.#options.secrets.seal(value, PREFIX + key) : value
      entries.push({ key: PREFIX + key, value: kept })
    }
    if (entries.length > 0) await writeSettings(this.#options.db, entries, actor)
  }

  async #read(): Promise<LiveValues> {
    const { db, started, fixed, secrets, log } = this.#options
    const stored = await readSettings(db)
    const values: Partial<Record<LiveKey, unknown>> = { ...started }
    for (const key of KEYS) {
      const kept = stored.get(PREFIX + key)
      if (kept === undefined || fixed.has(key)) continue
      const { kind, secret } = liveSettings[key]
      const value = kind.read(secret === true && typeof kept === 'string' ? await secrets.unseal(kept, PREFIX + key) : kept)
      if (value === undefined) log.warn({ setting: key }, 'A setting that was kept is none any more; its default counts.')
      else values[key] = value
    }
    return values as LiveValues
  }
}

/** A secret that is kept does not follow its address to another server; whoever moves the address has the secret, and gives it again. @throws BadSetting */
function refuseMovedSecrets(wishes: ReadonlyMap<LiveKey, unknown>, now: LiveValues): void {
  for (const [address, secret] of Object.entries(SECRET_OF) as [keyof typeof SECRET_OF, (typeof SECRET_OF)[keyof typeof SECRET_OF]][]) {
    const wish = wishes.get(address)
    if (typeof wish !== 'string' || wish === '' || wishes.has(secret) || now[secret] === undefined) continue
    if (!sameServer(wish, now[address]))
      throw new BadSetting(
        secret,
        `is missing: the one that is kept is for ${now[address]}, and goes to no other host, port or scheme; give it again`,
      )
  }
}
