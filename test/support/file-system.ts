import type { FileHandle } from 'node:fs/promises'
import { type FileSystem, nodeFileSystem } from '../../stores/file-system.ts'

/** Hears of each call before it is made; makes it by `go`, with other arguments if it gives any, or does not. */
export type Interception = (
  call: { readonly name: string; readonly args: readonly unknown[]; readonly path: string },
  go: (...args: unknown[]) => Promise<unknown>,
) => Promise<unknown>

/** The system's file system, with every call, also of its open files, going through `intercept`. */
export function interceptedFileSystem(intercept: Interception): FileSystem {
  return wrap(nodeFileSystem, '', intercept)
}

function wrap<T extends object>(target: T, path: string, intercept: Interception): T {
  return new Proxy(target, {
    get(_, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return async (...args: unknown[]) => {
        const about = path === '' ? String(args[0]) : path
        const result: unknown = await intercept({ name: String(name), args, path: about }, async (...others) =>
          Reflect.apply(value, target, others.length > 0 ? others : args),
        )
        return name === 'open' && isHandle(result) ? wrap(result, about, intercept) : result
      }
    },
  })
}

function isHandle(value: unknown): value is FileHandle {
  return typeof value === 'object' && value !== null && 'datasync' in value
}
