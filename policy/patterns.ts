// Names as people write them in rules: `library/*`, `team/**:v1.*`. Without regular expressions, so that no pattern can take long.

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

function matchesPath(pattern: string, path: string): boolean {
  const given = path.split('/')
  // reached[i]: the pattern so far stands for the first i components.
  let reached: readonly boolean[] = [true, ...given.map(() => false)]
  for (const wanted of pattern.split('/')) {
    const before = reached
    if (wanted === '**') {
      const first = before.indexOf(true)
      reached = before.map((_, i) => first >= 0 && i >= first)
    } else reached = before.map((_, i) => before[i - 1] === true && matchesWord(wanted, given[i - 1] ?? ''))
  }
  return reached.at(-1) === true
}

/** Each character of the text takes the set of places in the pattern one step on: time is their product, however many stars there are. */
function matchesWord(pattern: string, word: string): boolean {
  const wanted = pattern.replace(/\*+/g, '*')
  let places = new Set([0])
  const rest = (place: number) => (wanted[place] === '*' ? [place, place + 1] : [place])
  places = new Set([...places].flatMap(rest))
  for (const char of word) {
    const next = [...places].flatMap((place) => {
      if (wanted[place] === '*') return [place]
      return wanted[place] === '?' || wanted[place] === char ? [place + 1] : []
    })
    places = new Set(next.flatMap(rest))
    if (places.size === 0) return false
  }
  return places.has(wanted.length)
}
