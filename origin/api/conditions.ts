import type { Match } from '../../schema/matching.ts'
import { badField } from './errors.ts'
import type { Condition, Query, QueryValue } from './query.ts'

/** What is left of a condition that a list treats in a way of its own. */
interface Read {
  /** In any form. */
  text: Match
  value: string
  flag: boolean
  id: number
  /** `any` or `all` of them. */
  ids: { readonly match: 'any' | 'all'; readonly ids: readonly number[] }
}

/** How a kind of key is told of, read, and tried. */
interface Reading<T> {
  says(key: string): string
  /** @throws ApiError BAD_REQUEST for a condition of another kind */
  read(condition: Condition, key: string): T
  /** Conditions of every form that it takes. */
  examples(key: string): readonly string[]
}

type Kinds<T> = { readonly [kind in keyof T]: Reading<T[kind]> }

const forms = (key: string, a: string, b: string) => [
  `${key}=${a}`,
  `${key}={${a} ${b}}`,
  `${key}=(${a} ${b})`,
  `${key}=[${a}~${b}]`,
  `${key}=[${a}~]`,
]

/** Columns: what a condition says is asked of the database as it is. */
export const COLUMNS = {
  text: {
    says: (key) => `\`${key}=text\`, a part of it \`${key}=~text\`, any of \`${key}={a b}\`, \`${key}=[a~b]\``,
    read: (condition) => match(condition, String, String),
    examples: (key) => [...forms(key, 'a', 'b'), `${key}=~abc`],
  },
  number: {
    says: (key) => `\`${key}=1\`, \`${key}={1 2}\`, \`${key}=[1~9]\``,
    read: (condition, key) => match(condition, (value) => numberOf(value, key)),
    examples: (key) => forms(key, '1', '2'),
  },
  flag: {
    says: (key) => `\`${key}=true\` or \`false\``,
    read: (condition, key) => match(condition, (value) => flagOf(value, key)),
    examples: (key) => [`${key}=true`, `${key}={true false}`],
  },
  time: {
    says: (key) => `\`${key}=[2026-01-01~2026-02-01 12:00:00]\`, either end open, in UTC`,
    read: (condition, key) => match(condition, (value) => timeOf(value, key)),
    examples: (key) => forms(key, '2026-01-01', '2026-02-01'),
  },
} as const satisfies Kinds<Record<string, Match>>

/** Conditions that a list does something of its own with. */
export const SPECIAL: Kinds<Read> = {
  text: COLUMNS.text,
  value: {
    says: (key) => `\`${key}=value\``,
    read: (condition, key) => String(exactly(condition, key)),
    examples: (key) => [`${key}=a`],
  },
  flag: {
    says: (key) => `\`${key}=true\` or \`false\``,
    read: (condition, key) => flagOf(exactly(condition, key), key),
    examples: (key) => [`${key}=true`],
  },
  id: {
    says: (key) => `\`${key}=1\``,
    read: (condition, key) => idOf(exactly(condition, key), key),
    examples: (key) => [`${key}=1`],
  },
  ids: {
    says: (key) => `\`${key}=3\`, any of \`${key}={3 4}\`, all of \`${key}=(3 4)\``,
    read(condition, key) {
      const values = condition.match === 'any' || condition.match === 'all' ? condition.values : [exactly(condition, key)]
      return { match: condition.match === 'any' ? 'any' : 'all', ids: values.map((value) => idOf(value, key)) }
    },
    examples: (key) => [`${key}=1`, `${key}={1 2}`, `${key}=(1 2)`],
  },
}

export type Column = keyof typeof COLUMNS
export type Special = keyof Read
export type Conditions<S extends Readonly<Record<string, Special>>> = { readonly [key in keyof S]: Read[S[key]] | undefined }

/** What a list does itself with the conditions of some keys. @throws ApiError BAD_REQUEST for a condition of another kind than its key takes */
export function readSpecial<S extends Readonly<Record<string, Special>>>(query: Query, keys: S): Conditions<S> {
  const read = (key: string, kind: Special) => {
    const condition = query.get(key)
    return condition === undefined ? undefined : SPECIAL[kind].read(condition, key)
  }
  return Object.fromEntries(Object.entries(keys).map(([key, kind]) => [key, read(key, kind)])) as Conditions<S>
}

/** `part`: how a part of a value is read, where there is such a thing. */
function match<T extends string | number | boolean>(
  condition: Condition,
  read: (value: QueryValue) => T,
  part?: (value: QueryValue) => string,
): Match {
  switch (condition.match) {
    case 'exact':
      return { match: 'exact', value: read(condition.value) }
    case 'fuzzy':
      // What is no text has no parts: Harbor's clients mean the value then.
      return part === undefined ? { match: 'exact', value: read(condition.value) } : { match: 'part', text: part(condition.value) }
    case 'range': {
      const end = (value: QueryValue | undefined) => (value === undefined ? undefined : read(value))
      return { match: 'range', from: end(condition.min), to: end(condition.max) }
    }
    default:
      return { match: condition.match, values: condition.values.map(read) }
  }
}

function exactly(condition: Condition, key: string): QueryValue {
  if (condition.match !== 'exact') throw badField('q', `${key} takes ${key}=value`)
  return condition.value
}

function flagOf(value: QueryValue, key: string): boolean {
  const text = String(value).toLowerCase()
  if (text === 'true' || text === '1') return true
  if (text === 'false' || text === '0') return false
  throw badField('q', `${key} is true or false`)
}

function numberOf(value: QueryValue, key: string): number {
  if (!/^-?\d{1,15}$/.test(String(value))) throw badField('q', `${key} is a whole number`)
  return Number(value)
}

function idOf(value: QueryValue, key: string): number {
  const id = numberOf(value, key)
  if (id < 0) throw badField('q', `${key} is a whole number`)
  return id
}

/** Without a zone it is UTC. */
function timeOf(value: QueryValue, key: string): number {
  const text = String(value).trim().replace(' ', 'T')
  const time = Date.parse(/T\d\d:\d\d(:\d\d(\.\d+)?)?$/.test(text) ? `${text}Z` : text)
  if (Number.isNaN(time)) throw badField('q', `${key}: ${value} is no time; write 2026-01-31 or 2026-01-31 12:00:00`)
  return time
}
