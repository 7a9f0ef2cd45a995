import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Settings } from './define.ts'
import { type ReadSettings, readSettings, SettingsError } from './read.ts'

const DEFAULT_FILE = 'atoll.yaml'

/**
 * Reads the file named on the command line, else by ATOLL_CONFIG, else ./atoll.yaml if there is one, and the environment over it.
 * Give all the settings that the file may hold: what no list knows is an error.
 * @throws SettingsError
 */
export async function loadSettings<S extends Settings>(
  settings: S,
  { path, env, cwd }: { readonly path?: string | undefined; readonly env: Readonly<Record<string, string | undefined>>; readonly cwd: string },
): Promise<ReadSettings<S>> {
  const named = path ?? (env.ATOLL_CONFIG || undefined)
  const name = named ?? DEFAULT_FILE
  let text: string | undefined
  try {
    text = await readFile(join(name.startsWith('/') ? '' : cwd, name), 'utf8')
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    if (!missing || named !== undefined)
      throw new SettingsError([`${name}: cannot be read: ${error instanceof Error ? error.message : String(error)}`])
  }
  return readSettings(settings, { env, file: text === undefined ? undefined : { name, text } })
}
