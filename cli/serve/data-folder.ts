import { access, constants, mkdir } from 'node:fs/promises'
import { environmentName } from '../../runtime/settings/define.ts'
import { CliError, EXIT } from '../exit-codes.ts'

/**
 * Makes the folder that everything is kept in, and keeps it from other users of the machine: it holds keys and hashes of passwords.
 * @throws CliError when it cannot be used
 */
export async function prepareDataFolder(key: 'data_volume' | 'edge.data_volume', folder: string): Promise<void> {
  // For this folder and every file that this process makes from now on.
  process.umask(0o077)
  try {
    await mkdir(folder, { recursive: true })
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new CliError(`${key}: ${folder} cannot be used as a folder (${reason}). Choose another with ${environmentName(key)}.`, EXIT.usage, error)
  }
}
