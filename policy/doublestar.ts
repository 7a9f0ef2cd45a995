import { literally, matches, type Part, type Path } from './globs.ts'

export const DOUBLESTAR_LIMIT = 1_000
/** So many different patterns its braces may stand for, and so many characters these may have together: each is tried. */
export const ALTERNATIVES_LIMIT = 256
const EXPANDED_LIMIT = 4_096
const DEPTH_LIMIT = 20

/**
 * Harbor's patterns: `*` and `?` within a component, `**` across, `[a-z]`, `[^a-z]`, `{a,b}`, and `\` before what shall mean itself. Trying one
 * takes time that grows with pattern × text.
 * @throws SyntaxError for what is no such pattern, or stands for too many
 */
export function doublestar(pattern: string): (text: string) => boolean {
  if (pattern.length > DOUBLESTAR_LIMIT) throw new SyntaxError(`a pattern has ${DOUBLESTAR_LIMIT} characters at most`)
  const all = [...expanded(pattern)]
  if (all.reduce((sum, { length }) => sum + length, 0) > EXPANDED_LIMIT)
    throw new SyntaxError(`what the braces of a pattern stand for has ${EXPANDED_LIMIT} characters at most`)
  const alternatives = all.map(pathOf)
  return (text) => alternatives.some((path) => matches(path, text))
}

/** Without braces. */
function expanded(pattern: string): ReadonlySet<string> {
  const reader = { pattern, at: 0 }
  const all = sequence(reader, 0)
  if (reader.at < pattern.length) throw new SyntaxError('a pattern has a } without its {')
  return all
}

interface Reader {
  readonly pattern: string
  at: number
}

/** To the end of the pattern, or of this alternative. */
function sequence(reader: Reader, depth: number): Set<string> {
  if (depth > DEPTH_LIMIT) throw new SyntaxError(`a pattern has ${DEPTH_LIMIT} braces within each other at most`)
  let all = new Set([''])
  while (reader.at < reader.pattern.length) {
    const char = reader.pattern[reader.at] ?? ''
    if (depth > 0 && char === ',') break
    if (char === '}') break
    const next = char === '{' ? braces(reader, depth) : new Set([token(reader)])
    const joined = new Set<string>()
    for (const before of all) {
      for (const after of next) joined.add(before + after)
      if (joined.size > ALTERNATIVES_LIMIT) throw new SyntaxError(`the braces of a pattern stand for ${ALTERNATIVES_LIMIT} different ones at most`)
    }
    all = joined
  }
  return all
}

function braces(reader: Reader, depth: number): Set<string> {
  const all = new Set<string>()
  do {
    reader.at++
    for (const each of sequence(reader, depth + 1)) all.add(each)
  } while (reader.pattern[reader.at] === ',')
  if (reader.pattern[reader.at] !== '}') throw new SyntaxError('a pattern has a { without its }')
  reader.at++
  return all
}

/** A character, one with its `\`, or `[…]` as it is written. */
function token(reader: Reader): string {
  const { pattern, at } = reader
  if (pattern[at] === '[') reader.at = endOfClass(pattern, at)
  else reader.at += pattern[at] === '\\' ? 2 : 1
  return pattern.slice(at, reader.at)
}

/** Behind its `]`. A `]` that comes first, or behind a `\`, means itself. */
function endOfClass(pattern: string, from: number): number {
  let at = from + 1
  if (pattern[at] === '^' || pattern[at] === '!') at++
  for (const first = at; at < pattern.length && pattern[at] !== '/'; at++) {
    if (pattern[at] === '\\') at++
    else if (pattern[at] === ']' && at > first) return at + 1
  }
  throw new SyntaxError('a pattern has a [ without its ]')
}

function pathOf(pattern: string): Path {
  return componentsOf(pattern).map((component) => (component === '**' ? '**' : partsOf(component)))
}

/** At each `/`. None is in brackets, and none means anything else with a `\` before it. */
function componentsOf(pattern: string): string[] {
  return pattern.replaceAll('\\/', '/').split('/')
}

function partsOf(component: string): Part[] {
  const parts: Part[] = []
  for (let at = 0; at < component.length; ) {
    const char = component[at] ?? ''
    if (char === '[') {
      const end = endOfClass(component, at)
      parts.push(classOf(component.slice(at + 1, end - 1)))
      at = end
      continue
    }
    if (char === '*') parts.push('*')
    else if (char === '?') parts.push(() => true)
    else parts.push(literally(char === '\\' ? (component[at + 1] ?? char) : char))
    at += char === '\\' ? 2 : 1
  }
  return parts
}

/** Of what is between `[` and `]`. */
function classOf(text: string): Part {
  const not = text.startsWith('^') || text.startsWith('!')
  const chars = [...(not ? text.slice(1) : text).matchAll(/\\?([\s\S])/g)].map(([, char = '']) => char)
  const ranges: [string, string][] = []
  for (let at = 0; at < chars.length; ) {
    const [from = '', dash, to] = chars.slice(at, at + 3)
    const ranged = dash === '-' && to !== undefined
    ranges.push([from, ranged ? to : from])
    at += ranged ? 3 : 1
  }
  return (char) => ranges.some(([from, to]) => char >= from && char <= to) !== not
}
