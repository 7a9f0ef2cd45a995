import { join } from 'node:path'
import { edgeSettings } from '../../edge/settings.ts'
import { PASSED_OVER } from '../../origin/config/harbor-file.ts'
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

export interface ReadConfig {
  readonly config: Config
  /** Settings that file or environment give, and where: `atoll.yaml:3`, `ATOLL_HTTP_PORT`. */
  readonly given: ReadonlyMap<string, string>
  /** What of Harbor's the file has that means nothing here, each with its line. */
  readonly passedOver: readonly string[]
}

/** @throws SettingsError with every problem at once */
export async function readConfig({ config, env, cwd }: ConfigSources): Promise<ReadConfig> {
  const from = { path: config, env, cwd, otherVariables: SESSION_VARIABLES, passedOver: PASSED_OVER }
  const { values, given, passedOver } = await loadSettings(allSettings, from)
  // What an edge keeps stays in the one data folder, unless somebody says otherwise.
  const own = given.has('edge.data_volume') ? {} : { 'edge.data_volume': join(values.data_volume, 'edge') }
  // Harbor's file names the store by its section alone.
  const bucket = given.has('storage_service.s3.bucket') && !given.has('storage_service.kind') ? { 'storage_service.kind': 's3' as const } : {}
  return { config: { ...values, ...own, ...bucket }, given, passedOver }
}
