import { execFile } from 'node:child_process'
import { mkdtemp, open, rmdir } from 'node:fs/promises'
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

/** Somebody else fills the disk that this path is on, to its last byte. */
export async function fillDisk(path: string): Promise<void> {
  const file = await open(path, 'w')
  try {
    for (let size = 4 * 1024 * 1024; size >= 512; ) {
      try {
        await file.appendFile(Buffer.alloc(size))
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
        size = Math.floor(size / 2)
      }
    }
  } finally {
    await file.close()
  }
}
