import { ApiError } from './errors.ts'
import { keyNamed } from './keys.ts'
import { QUERY_LIMIT } from './limits.ts'

export interface SortKey<K extends string = string> {
  readonly field: K
  readonly descending: boolean
}

/** Reads Harbor's `sort=`: `a,-b` is by a, then by b from its greatest. `unknown`: those that are not in `keys`. */
export function parseSort<K extends string>(
  text: string | undefined,
  keys: readonly K[],
): { readonly known: readonly SortKey<K>[]; readonly unknown: readonly string[] } {
  if (text === undefined || text === '') return { known: [], unknown: [] }
  if (text.length > QUERY_LIMIT) throw new ApiError('BAD_REQUEST', `sort: longer than ${QUERY_LIMIT} characters`)
  const known: SortKey<K>[] = []
  const unknown: string[] = []
  for (const part of text.split(',')) {
    const descending = part.startsWith('-')
    const name = (descending ? part.slice(1) : part).trim()
    const field = keyNamed(name, keys)
    if (field === undefined) unknown.push(name)
    else known.push({ field, descending })
  }
  return { known, unknown }
}
