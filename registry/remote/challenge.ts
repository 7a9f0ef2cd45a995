/** One challenge of a `WWW-Authenticate` header. The scheme and the names of parameters are in lower case. */
export interface Challenge {
  readonly scheme: string
  readonly parameters: ReadonlyMap<string, string>
}

const HEADER_LIMIT = 8 * 1024
const CHALLENGE_LIMIT = 16
const PARAMETER_LIMIT = 32

const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y
const TOKEN68 = /[A-Za-z0-9\-._~+/]+=*(?=[ \t]*(?:,|$))/y
const BLANKS = /[ \t]*/y
const SEPARATORS = /[ \t,]*/y
const EQUALS = /[ \t]*=[ \t]*/y
const QUOTED = /"((?:[^"\\]|\\.)*)"/y

/**
 * Reads a `WWW-Authenticate` header with any number of challenges (RFC 9110, 11.6.1). What follows the first thing that is not
 * well-formed is ignored, and so is what goes beyond any honest header's size: it comes from strangers.
 */
export function parseChallenges(header: string | null | undefined): Challenge[] {
  const text = (header ?? '').slice(0, HEADER_LIMIT)
  const challenges: Challenge[] = []
  let at = 0
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (match === null) return undefined
    at = pattern.lastIndex
    return match
  }

  take(SEPARATORS)
  while (at < text.length && challenges.length < CHALLENGE_LIMIT) {
    const scheme = take(TOKEN)?.[0].toLowerCase()
    if (scheme === undefined) break
    const parameters = new Map<string, string>()
    challenges.push({ scheme, parameters })
    if (!/[ \t]/.test(text[at] ?? '')) {
      if (at < text.length && text[at] !== ',') break
      take(SEPARATORS)
      continue
    }
    take(BLANKS)
    // `Basic realm=""` looks like a token68 up to the `=`: only one that ends its challenge is one.
    if (take(TOKEN68) !== undefined) {
      take(SEPARATORS)
      continue
    }
    for (;;) {
      take(SEPARATORS)
      const start = at
      const name = take(TOKEN)?.[0].toLowerCase()
      if (name === undefined) break
      if (take(EQUALS) === undefined) {
        at = start
        break
      }
      const quoted = take(QUOTED)
      const value = quoted ? (quoted[1] ?? '').replace(/\\(.)/g, '$1') : take(TOKEN)?.[0]
      if (value === undefined || parameters.size >= PARAMETER_LIMIT) return challenges
      // The first one counts: a second of the same name is an attempt to be read differently by others.
      if (!parameters.has(name)) parameters.set(name, value)
      take(BLANKS)
      if (at < text.length && text[at] !== ',') return challenges
    }
  }
  return challenges
}
