// Names as people write them in rules: `library/*`, `team/**:v1.*`.

import { matchesPath, matchesWord } from './globs.ts'

/** How long a pattern may be, and how many a list of them has. */
export const PATTERN_LIMIT = 512
export const PATTERNS_LIMIT = 100

/** What a pattern may be made of: names, `:` before the tag, and `*`, `**`, `?`. */
export function isPattern(text: string): boolean {
  return text.length <= PATTERN_LIMIT && /^[a-z0-9._/*?-]+(?::[A-Za-z0-9._*?-]+)?$/.test(text)
}

/**
 * Whether a pattern `repository[:tag]` names this. `*` and `?` stay within a component, `**` stands for any number of components.
 * A pattern without a tag names all of the repository. `tag` undefined: what is asked for has none; then a pattern for certain tags does not name it.
 */
export function names(pattern: string, repository: string, tag: string | undefined): boolean {
  const { repositories, tags } = parts(pattern)
  if (!matchesPath(repositories, repository)) return false
  return tags === undefined || (tag === undefined ? tags === '*' : matchesWord(tags, tag))
}

/** Whether a pattern names some of this repository, whatever the tag. */
export function namesSomeOf(pattern: string, repository: string): boolean {
  return matchesPath(parts(pattern).repositories, repository)
}

function parts(pattern: string): { readonly repositories: string; readonly tags: string | undefined } {
  const colon = pattern.indexOf(':')
  return colon < 0 ? { repositories: pattern, tags: undefined } : { repositories: pattern.slice(0, colon), tags: pattern.slice(colon + 1) }
}
