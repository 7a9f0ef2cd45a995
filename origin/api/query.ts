import { ApiError } from './errors.ts'
import { keyNamed } from './keys.ts'
import { QUERY_LIMIT, QUERY_VALUES_LIMIT } from './limits.ts'

export type QueryValue = string | number

/** One condition of Harbor's `q=`. */
export type Condition =
  | { readonly match: 'exact' | 'fuzzy'; readonly value: QueryValue }
  /** Both ends included; an absent end is open. */
  | { readonly match: 'range'; readonly min: QueryValue | undefined; readonly max: QueryValue | undefined }
  | { readonly match: 'any' | 'all'; readonly values: readonly QueryValue[] }

export type Query = ReadonlyMap<string, Condition>

/**
 * Reads Harbor's `q=`: `k=v` exact, `k=~v` fuzzy, `k=[min~max]` range, `k={a b}` any of them, `k=(a b)` all of them, joined by commas.
 * Values in quotes (`"` or `'`) are text whatever they hold; a bare whole number is a number.
 * `unknown`: the keys that are not in `keys`, which Harbor passes over. @throws ApiError BAD_REQUEST for what is no condition
 */
export function parseQuery(text: string | undefined, keys: readonly string[]): { readonly known: Query; readonly unknown: readonly string[] } {
  const query = new Map<string, Condition>()
  const unknown: string[] = []
  if (text === undefined || text === '') return { known: query, unknown }
  if (text.length > QUERY_LIMIT) throw new ApiError('BAD_REQUEST', `q: longer than ${QUERY_LIMIT} characters`)
  for (const clause of split(decoded(text), ',')) {
    const equals = clause.indexOf('=')
    const name = clause.slice(0, equals).trim()
    if (equals < 1) throw new ApiError('BAD_REQUEST', `q: "${clause}" is no condition; write key=value`)
    const wanted = condition(name, clause.slice(equals + 1).trim())
    const key = keyNamed(name, keys)
    if (key === undefined) unknown.push(name)
    else if (query.has(key)) throw new ApiError('BAD_REQUEST', `q: the key "${key}" comes twice`)
    else query.set(key, wanted)
  }
  return { known: query, unknown }
}

/** Harbor's portal encodes it twice, and Harbor decodes it twice. */
function decoded(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    // A percent sign that is meant so.
    return text
  }
}

function condition(key: string, text: string): Condition {
  const inside = text.slice(1, -1)
  if (text.startsWith('~')) return { match: 'fuzzy', value: value(text.slice(1)) }
  if (text.startsWith('[') && text.endsWith(']')) {
    const [min, max, ...rest] = split(inside, '~').map((end) => end.trim())
    if (min === undefined || max === undefined || rest.length > 0) throw new ApiError('BAD_REQUEST', `q: the range of "${key}" is written [min~max]`)
    return { match: 'range', min: min === '' ? undefined : value(min), max: max === '' ? undefined : value(max) }
  }
  const any = text.startsWith('{') && text.endsWith('}')
  if (any || (text.startsWith('(') && text.endsWith(')'))) {
    const values = split(inside, ' ').filter((part) => part !== '')
    if (values.length === 0 || values.length > QUERY_VALUES_LIMIT) {
      throw new ApiError('BAD_REQUEST', `q: the list of "${key}" holds 1 to ${QUERY_VALUES_LIMIT} values, separated by spaces`)
    }
    return { match: any ? 'any' : 'all', values: values.map(value) }
  }
  return { match: 'exact', value: value(text) }
}

function value(text: string): QueryValue {
  const quote = text[0]
  if (text.length >= 2 && (quote === '"' || quote === "'") && text.endsWith(quote)) return text.slice(1, -1)
  return /^-?\d{1,15}$/.test(text) ? Number(text) : text
}

/** Splits where the separator is outside of quotes and brackets. */
function split(text: string, separator: string): string[] {
  const parts: string[] = []
  let from = 0
  let depth = 0
  let quote: string | undefined
  for (let at = 0; at < text.length; at++) {
    const char = text[at]
    if (quote !== undefined) {
      if (char === quote) quote = undefined
    } else if (char === '"' || char === "'") quote = char
    else if (char === '{' || char === '(' || char === '[') depth++
    else if (char === '}' || char === ')' || char === ']') depth--
    else if (char === separator && depth === 0) {
      parts.push(text.slice(from, at))
      from = at + 1
    }
  }
  if (quote !== undefined || depth !== 0) throw new ApiError('BAD_REQUEST', 'q: a quote or a bracket is not closed')
  parts.push(text.slice(from))
  return parts
}
