import type { ObjectStore } from '../../registry/object-store.ts'
import { memoryObjectStore } from '../../stores/memory-object-store.ts'

/** A bucket that goes away when it is told to, and then fails whatever is asked of it. */
export function fleetingBucket(): { readonly bucket: ObjectStore; readonly goAway: () => void } {
  const objects = memoryObjectStore()
  let away = false
  const there = () => {
    if (away) throw new Error('the bucket is away')
    return objects
  }
  const bucket: ObjectStore = {
    put: async (key, body) => there().put(key, body),
    putIfAbsent: async (key, body) => there().putIfAbsent(key, body),
    get: async (key, range) => there().get(key, range),
    stat: async (key) => there().stat(key),
    delete: async (keys) => there().delete(keys),
    list: async (prefix, page) => there().list(prefix, page),
  }
  return {
    bucket,
    goAway: () => {
      away = true
    },
  }
}
