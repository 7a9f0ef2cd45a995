// Wildcards as people write them in rules, without regular expressions: time grows with pattern × text, however many stars there are.

/** Part of a component: any characters, or one that this says yes to. */
export type Part = '*' | ((char: string) => boolean)

/** A pattern of paths, component by component; `**` stands for any number of them. */
export type Path = readonly ('**' | readonly Part[])[]

const ANY_CHAR = () => true
export const literally =
  (wanted: string): Part =>
  (char) =>
    char === wanted

const wordOf = (pattern: string): Part[] => Array.from(pattern, (char) => (char === '*' ? '*' : char === '?' ? ANY_CHAR : literally(char)))

/** `*` stands for any characters, also `/`; `?` for one. */
export function matchesWord(pattern: string, text: string): boolean {
  return word(wordOf(pattern), text)
}

/** `*` and `?` stay within a component; `**` as a whole component stands for any number of them. */
export function matchesPath(pattern: string, path: string): boolean {
  return matches(
    pattern.split('/').map((component) => (component === '**' ? '**' : wordOf(component))),
    path,
  )
}

export function matches(pattern: Path, path: string): boolean {
  const given = path.split('/')
  // reached[i]: the components of the pattern so far stand for the first i of the path.
  let reached: readonly boolean[] = [true, ...given.map(() => false)]
  for (const wanted of pattern) {
    const before = reached
    if (wanted === '**') {
      const first = before.indexOf(true)
      reached = before.map((_, i) => first >= 0 && i >= first)
    } else reached = before.map((_, i) => before[i - 1] === true && word(wanted, given[i - 1] ?? ''))
  }
  return reached.at(-1) === true
}

function word(parts: readonly Part[], text: string): boolean {
  let [at, star, resume] = [0, -1, 0]
  for (let i = 0; i < text.length; ) {
    const part = parts[at]
    if (part === '*') {
      star = at++
      resume = i
    } else if (part?.(text[i] ?? '')) {
      at++
      i++
    } else if (star >= 0) {
      // Back to the last star only: what an earlier one took cannot matter any more.
      at = star + 1
      i = ++resume
    } else return false
  }
  while (parts[at] === '*') at++
  return at === parts.length
}
