import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createClient } from '@libsql/client/sqlite3'
import { isBusy } from './errors.ts'

export interface FolderLock {
  release(): void
}

/**
 * Takes a folder for one process: SQLite's own lock on the small file `name` in it. The system lets go of it when the process ends, however that
 * happens, and it holds between containers that share the folder, where ids of processes would say nothing. undefined: another process has it.
 */
export async function lockFolder(folder: string, name: string): Promise<FolderLock | undefined> {
  const client = createClient({ url: pathToFileURL(join(folder, name)).href })
  try {
    // A transaction that may write, and never does: the file stays empty.
    const held = await client.transaction('write')
    return {
      release() {
        held.close()
        client.close()
      },
    }
  } catch (error) {
    client.close()
    if (isBusy(error)) return undefined
    throw error
  }
}
