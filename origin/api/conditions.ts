import type { Digest } from '../../registry/spec/digests.ts'
import { isDigest } from '../../registry/spec/digests.ts'
import { badField } from './errors.ts'
import { type Condition, parseQuery } from './query.ts'

/** What is left of a condition, by the kind of its key. */
interface Read {
  /** Equal to, or containing. */
  text: { readonly exact?: string; readonly part?: string }
  value: string | undefined
  flag: boolean | undefined
  id: number | undefined
  digest: Digest | undefined
  /** `any` or `all` of them. */
  ids: { readonly match: 'any' | 'all'; readonly ids: readonly number[] } | undefined
  /** Milliseconds since the epoch, both ends included. */
  times: { readonly from?: number | undefined; readonly to?: number | undefined }
}

export type Kind = keyof Read
export type Conditions<K extends Readonly<Record<string, Kind>>> = { readonly [key in keyof K]: Read[K[key]] }

/** How a kind of key is told of, read, and tried. */
interface Reading<T> {
  says(key: string): string
  /** `undefined`: there is no condition. @throws ApiError BAD_REQUEST for a condition of another kind */
  read(condition: Condition | undefined, key: string): T
  /** Conditions of every form that it takes. */
  examples(key: string): readonly string[]
}

export const KINDS: { readonly [kind in Kind]: Reading<Read[kind]> } = {
  text: {
    says: (key) => `\`${key}=text\` or a part of it \`${key}=~text\``,
    read(condition, key) {
      if (condition === undefined) return {}
      if (condition.match === 'exact') return { exact: String(condition.value) }
      if (condition.match === 'fuzzy') return { part: String(condition.value) }
      throw badField('q', `${key} takes ${key}=text or ${key}=~text`)
    },
    examples: (key) => [`${key}=a`, `${key}=~abc`],
  },
  value: { says: (key) => `\`${key}=value\``, read: exactly, examples: (key) => [`${key}=a`] },
  flag: {
    says: (key) => `\`${key}=true\` or \`false\``,
    read(condition, key) {
      const text = exactly(condition, key)
      if (text === undefined) return undefined
      if (text === 'true' || text === '1') return true
      if (text === 'false' || text === '0') return false
      throw badField('q', `${key} is true or false`)
    },
    examples: (key) => [`${key}=true`],
  },
  id: {
    says: (key) => `\`${key}=1\``,
    read(condition, key) {
      const text = exactly(condition, key)
      if (text === undefined) return undefined
      if (!/^\d{1,15}$/.test(text)) throw badField('q', `${key} is a whole number`)
      return Number(text)
    },
    examples: (key) => [`${key}=1`],
  },
  digest: {
    says: (key) => `\`${key}=sha256:…\``,
    read(condition, key) {
      const text = exactly(condition, key)
      if (text === undefined || isDigest(text)) return text
      throw badField('q', `${key} is sha256: or sha512: and its hexadecimal digits`)
    },
    examples: (key) => [`${key}=sha256:${'a'.repeat(64)}`],
  },
  ids: {
    says: (key) => `\`${key}=3\`, any of \`${key}={3 4}\`, all of \`${key}=(3 4)\``,
    read(condition, key) {
      if (condition === undefined) return undefined
      const values = condition.match === 'any' || condition.match === 'all' ? condition.values : condition.match === 'exact' ? [condition.value] : []
      const ids = values.filter((value) => typeof value === 'number')
      if (ids.length === 0 || ids.length < values.length) throw badField('q', `${key} takes ids: ${key}=3, ${key}={3 4} or ${key}=(3 4)`)
      return { match: condition.match === 'any' ? 'any' : 'all', ids }
    },
    examples: (key) => [`${key}=1`, `${key}={1 2}`, `${key}=(1 2)`],
  },
  times: {
    says: (key) => `\`${key}=[2026-01-01~2026-02-01 12:00:00]\`, either end open, in UTC`,
    read(condition, key) {
      if (condition === undefined) return {}
      if (condition.match !== 'range') throw badField('q', `${key} takes a range: ${key}=[2026-01-01~2026-02-01 12:00:00]`)
      return { from: timeOf(condition.min, key), to: timeOf(condition.max, key) }
    },
    examples: (key) => [`${key}=[2026-01-01~2026-02-01]`, `${key}=[2026-01-01~]`, `${key}=[~2026-02-01]`],
  },
}

/** @throws ApiError BAD_REQUEST for a key that is none of these, and for a condition of another kind than its key takes */
export function readConditions<K extends Readonly<Record<string, Kind>>>(text: string | undefined, keys: K): Conditions<K> {
  const query = parseQuery(text, Object.keys(keys))
  return Object.fromEntries(Object.entries(keys).map(([key, kind]) => [key, KINDS[kind].read(query.get(key), key)])) as Conditions<K>
}

function exactly(condition: Condition | undefined, key: string): string | undefined {
  if (condition === undefined) return undefined
  if (condition.match !== 'exact') throw badField('q', `${key} takes ${key}=value`)
  return String(condition.value)
}

/** Without a zone it is UTC. */
function timeOf(value: string | number | undefined, key: string): number | undefined {
  if (value === undefined) return undefined
  const text = String(value).trim().replace(' ', 'T')
  const time = Date.parse(/T\d\d:\d\d(:\d\d(\.\d+)?)?$/.test(text) ? `${text}Z` : text)
  if (Number.isNaN(time)) throw badField('q', `${key}: ${value} is no time; write 2026-01-31 or 2026-01-31 12:00:00`)
  return time
}
