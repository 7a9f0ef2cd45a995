import type { Log } from '../../registry/log.ts'
import type { ObjectStore } from '../../registry/object-store.ts'
import { isFull } from '../../stores/file-system.ts'
import { SQUEEZE_BYTES } from './limits.ts'
import type { Space } from './space.ts'

export interface FullDiskOptions {
  readonly space: Pick<Space, 'squeeze'>
  readonly log: Log
  /** What cannot be written even so: is it an error, or is the old object removed, so that nobody believes it any longer? */
  readonly otherwise: 'fail' | 'forget'
}

/** The same store, for small objects on the cache's disk: when that is full, the cache makes place for them. */
export function onFullDisk(objects: ObjectStore, { space, log, otherwise }: FullDiskOptions): ObjectStore {
  const tried = async <T>(key: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work()
    } catch (error) {
      if (!isFull(error)) throw error
    }
    await space.squeeze(SQUEEZE_BYTES)
    try {
      return await work()
    } catch (error) {
      if (!isFull(error) || otherwise === 'fail') throw error
      await objects.delete([key])
      log.warn({ key }, 'the disk is full: this is not kept')
      return undefined
    }
  }
  return {
    get: (key, range) => objects.get(key, range),
    stat: (key) => objects.stat(key),
    delete: (keys) => objects.delete(keys),
    list: (prefix, page) => objects.list(prefix, page),
    // A stream can be read once: what comes as one is not tried again.
    put: async (key, body) => {
      if (body instanceof Uint8Array) await tried(key, () => objects.put(key, body))
      else await objects.put(key, body)
    },
    putIfAbsent: async (key, body) => (await tried(key, () => objects.putIfAbsent(key, body))) ?? false,
  }
}
