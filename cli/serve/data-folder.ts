import { access, constants, mkdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { environmentName } from '../../runtime/settings/define.ts'
import type { FolderLock } from '../../schema/folder-lock.ts'
import { nodeFileSystem, syncDirectory } from '../../stores/file-system.ts'
import { CliError, EXIT } from '../exit-codes.ts'

/** Who works in a folder of its own. A control plane works in its origin's. */
const OWNERS = { data_volume: 'origin', 'edge.data_volume': 'edge' } as const

export type FolderSetting = keyof typeof OWNERS

/**
 * Makes the folder that everything is kept in, and keeps it from other users of the machine: it holds keys and hashes of passwords.
 * @throws CliError when it cannot be used
 */
export async function prepareDataFolder(key: FolderSetting, folder: string): Promise<void> {
  // For this folder and every file that this process makes from now on.
  process.umask(0o077)
  try {
    await makeFolder(folder)
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new CliError(`${key}: ${folder} cannot be used as a folder (${reason}). Choose another with ${environmentName(key)}.`, EXIT.usage, error)
  }
}

/** Takes the folder for this process: two that write in one would undo each other's work. @throws CliError when another process has it */
export async function takeDataFolder(key: FolderSetting, folder: string): Promise<FolderLock> {
  const { lockFolder } = await import('../../schema/folder-lock.ts')
  const owner = OWNERS[key]
  const lock = await lockFolder(folder, `${owner}.lock`)
  if (lock !== undefined) return lock
  throw new CliError(
    `${key}: another ${owner} is at work in ${folder}. Stop that one first, or give this one a folder of its own with ${environmentName(key)}.`,
    EXIT.failed,
  )
}

/** As mkdir with `recursive`, which never ends below /proc, where a folder is missing and cannot be made. Each new name survives a loss of power. */
async function makeFolder(folder: string): Promise<void> {
  try {
    await makeOne(folder)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    const parent = dirname(join(folder))
    if (code === 'EEXIST' && (await stat(folder)).isDirectory()) return
    if (code !== 'ENOENT' || parent === folder) throw error
    await makeFolder(parent)
    await makeOne(folder)
  }
}

async function makeOne(folder: string): Promise<void> {
  await mkdir(folder)
  await syncDirectory(nodeFileSystem, dirname(folder))
}
