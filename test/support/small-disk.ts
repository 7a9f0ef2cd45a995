import { execFile } from 'node:child_process'
import { mkdtemp, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface SmallDisk extends AsyncDisposable {
  readonly folder: string
}

/** A file system of so many MiB in memory, which really runs full. undefined: this user may not mount one, and a line said so. */
export async function smallDisk(mib: number): Promise<SmallDisk | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'atoll-disk-'))
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${mib}m`, 'none', folder])
  } catch (error) {
    await rmdir(folder)
    if (process.env.ATOLL_TEST_REQUIRE_TOOLS === '1') throw error
    process.stderr.write('left out, because this user may not mount a tmpfs: run it as root on Linux\n')
    return undefined
  }
  return {
    folder,
    async [Symbol.asyncDispose]() {
      await run('umount', ['--lazy', folder])
      await rmdir(folder)
    },
  }
}
