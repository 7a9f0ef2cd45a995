import { ApiError } from './errors.ts'
import { QUERY_LIMIT } from './limits.ts'

export interface SortKey<K extends string = string> {
  readonly field: K
  readonly descending: boolean
}

/** Reads Harbor's `sort=`: `a,-b` is by a, then by b from its greatest. @throws ApiError BAD_REQUEST for keys that are not in `keys` */
export function parseSort<K extends string>(text: string | undefined, keys: readonly K[]): SortKey<K>[] {
  if (text === undefined || text === '') return []
  if (text.length > QUERY_LIMIT) throw new ApiError('BAD_REQUEST', `sort: longer than ${QUERY_LIMIT} characters`)
  return text.split(',').map((part) => {
    const descending = part.startsWith('-')
    const name = (descending ? part.slice(1) : part).trim()
    const key = keys.find((each) => each === name)
    if (key === undefined) throw new ApiError('BAD_REQUEST', `sort: there is no key "${name}" here; there are ${keys.join(', ')}`)
    return { field: key, descending }
  })
}
