import { Networks } from '../../runtime/networks.ts'
import { SettingsError } from '../../runtime/settings/read.ts'
import type { OriginConfig } from '../config/settings.ts'

/** Where clients are, as far as the settings say. */
export interface Places {
  readonly networks: Networks
  /** In lower case. */
  readonly header: string | undefined
  readonly byHeader: ReadonlyMap<string, string>
}

/** undefined: nobody is sent anywhere. @throws SettingsError */
export function placesOf(config: OriginConfig): Places | undefined {
  const networks = config['nearest.networks']
  const header = config['nearest.header']?.toLowerCase()
  const places = config['nearest.places']
  if (networks.length === 0 && (header === undefined || places.length === 0)) return undefined
  try {
    return { networks: new Networks(networks), header, byHeader: new Map(places.map(pair)) }
  } catch (error) {
    throw new SettingsError([`nearest: ${error instanceof Error ? error.message : String(error)}.`])
  }
}

function pair(text: string): [string, string] {
  const at = text.indexOf('=')
  if (at <= 0 || at === text.length - 1) throw new TypeError(`${text} is not as DE=fra-1`)
  return [text.slice(0, at).trim().toUpperCase(), text.slice(at + 1).trim()]
}
