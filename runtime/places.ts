import { Networks } from './networks.ts'
import { SettingsError } from './settings/read.ts'

export interface PlacesOptions {
  /** `10.0.0.0/8=fra-1` */
  readonly networks: readonly string[]
  /** In which trusted proxies say where a client is. */
  readonly header: string | undefined
  /** `DE=fra-1` */
  readonly places: readonly string[]
}

/** Where clients are, as far as the settings say: near which edge, or in which region. */
export class Places {
  readonly #networks: Networks
  readonly #header: string | undefined
  readonly #byHeader: ReadonlyMap<string, string>

  private constructor(networks: Networks, header: string | undefined, byHeader: ReadonlyMap<string, string>) {
    this.#networks = networks
    this.#header = header
    this.#byHeader = byHeader
  }

  /** undefined: they say nothing. @throws SettingsError */
  static of({ networks, header, places }: PlacesOptions): Places | undefined {
    if (networks.length === 0 && (header === undefined || places.length === 0)) return undefined
    try {
      return new Places(new Networks(networks), header, new Map(places.map(pair)))
    } catch (error) {
      throw new SettingsError([`nearest: ${error instanceof Error ? error.message : String(error)}.`])
    }
  }

  /** `believed`: a trusted proxy has sent these headers. */
  of(headers: Headers, address: string, believed: boolean): string | undefined {
    const said = this.#header !== undefined && believed ? headers.get(this.#header) : null
    return (said === null ? undefined : this.#byHeader.get(said.trim().toUpperCase())) ?? this.#networks.of(address)
  }
}

function pair(text: string): [string, string] {
  const at = text.indexOf('=')
  if (at <= 0 || at === text.length - 1) throw new TypeError(`${text} is not as DE=fra-1`)
  return [text.slice(0, at).trim().toUpperCase(), text.slice(at + 1).trim()]
}
