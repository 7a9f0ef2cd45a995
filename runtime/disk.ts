import { statfs } from 'node:fs/promises'

export interface DiskUse {
  /** Bytes of the whole file system. */
  readonly size: number
  /** Bytes that this process may still write. */
  readonly free: number
}

/** The file system that a folder is on. @throws the system's error when there is no such folder */
export async function diskUse(folder: string): Promise<DiskUse> {
  const { bsize, blocks, bavail } = await statfs(folder)
  return { size: blocks * bsize, free: bavail * bsize }
}
