import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Settings } from './define.ts'
import type { Environment } from './environment.ts'
import { type ReadSettings, readSettings, SettingsError } from './read.ts'

const DEFAULT_FILE = 'atoll.yaml'

export interface LoadFrom {
  readonly path?: string | undefined
  readonly env: Environment
  readonly cwd: string
  /** Variables with our prefix that are no settings. */
  readonly otherVariables?: readonly string[]
  /** Keys and sections that the file may have and nobody reads. */
  readonly passedOver?: ReadonlySet<string>
}

/** Names the file, where the command line does not. */
const FILE_VARIABLE = 'ATOLL_CONFIG'

/**
 * Reads the file named on the command line, else by ATOLL_CONFIG, else ./atoll.yaml if there is one, and the environment over it.
 * Give all the settings that the file may hold: what no list knows is an error.
 * @throws SettingsError
 */
export async function loadSettings<S extends Settings>(settings: S, from: LoadFrom): Promise<ReadSettings<S>> {
  const { path, env, cwd, otherVariables = [], passedOver } = from
  const named = path ?? (env[FILE_VARIABLE] || undefined)
  const name = named ?? DEFAULT_FILE
  let text: string | undefined
  try {
    text = await readFile(join(name.startsWith('/') ? '' : cwd, name), 'utf8')
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    if (!missing || named !== undefined)
      throw new SettingsError([`${name}: cannot be read: ${error instanceof Error ? error.message : String(error)}`])
  }
  return readSettings(settings, {
    env,
    // Without a file nobody waits for a parser to be loaded.
    file: text === undefined ? undefined : (await import('./file.ts')).parseSettingsFile(settings, { name, text, passedOver }),
    otherVariables: [FILE_VARIABLE, ...otherVariables],
  })
}
