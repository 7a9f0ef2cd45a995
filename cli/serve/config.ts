import { join } from 'node:path'
import { edgeSettings } from '../../edge/settings.ts'
import { originSettings } from '../../origin/config/settings.ts'
import type { Values } from '../../runtime/settings/define.ts'
import { loadSettings } from '../../runtime/settings/load.ts'
import { SESSION_VARIABLES } from '../session.ts'

/** Everything that a configuration file may hold: one file serves an origin and its edges. */
export const allSettings = { ...originSettings, ...edgeSettings }

export type Config = Values<typeof allSettings>

export interface ConfigSources {
  /** The file named on the command line. */
  readonly config: string | undefined
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
}

/** @throws SettingsError with every problem at once */
export async function readConfig({ config, env, cwd }: ConfigSources): Promise<{ readonly config: Config; readonly fixed: ReadonlySet<string> }> {
  const { values, given } = await loadSettings(allSettings, { path: config, env, cwd, otherVariables: SESSION_VARIABLES })
  // What an edge keeps stays in the one data folder, unless somebody says otherwise.
  const own = given.has('edge.data_volume') ? {} : { 'edge.data_volume': join(values.data_volume, 'edge') }
  return { config: { ...values, ...own }, fixed: new Set(given.keys()) }
}
