import picomatch from 'picomatch'
import { matchesPath } from './globs.ts'

export const DOUBLESTAR_LIMIT = 1_000
const STARS_LIMIT = 3
const OPTIONS = { dot: true, noextglob: true, maxLength: DOUBLESTAR_LIMIT }

/**
 * Harbor's patterns: `*` and `?` within a component, `**` across, `[a-z]` and `{a,b}`.
 * @throws SyntaxError for what is no such pattern, or could take long to try
 */
export function doublestar(pattern: string): (text: string) => boolean {
  if (pattern.length > DOUBLESTAR_LIMIT) throw new SyntaxError(`a pattern has ${DOUBLESTAR_LIMIT} characters at most`)
  // Neither names nor tags have these, and groups with repetitions cost the most of all.
  if (/[()|+]/.test(pattern)) throw new SyntaxError('a pattern knows * ** ? [a-z] and {a,b}, and no groups')
  // picomatch makes a regular expression, which may try every way to divide a text among the stars: only a few of them may go there.
  if ((pattern.match(/\*+/g)?.length ?? 0) <= STARS_LIMIT) return picomatch(pattern, OPTIONS)
  if (/[[\]{}!@\\]/.test(pattern)) throw new SyntaxError(`a pattern with braces or brackets has at most ${STARS_LIMIT} stars`)
  return (text) => matchesPath(pattern, text)
}
