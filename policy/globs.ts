// Wildcards as people write them in rules, without regular expressions: time grows with pattern × text, however many stars there are.

/** `*` stands for any characters, also `/`; `?` for one. */
export function matchesWord(pattern: string, text: string): boolean {
  let [at, star, resume] = [0, -1, 0]
  for (let i = 0; i < text.length; ) {
    if (pattern[at] === '*') {
      star = at++
      resume = i
    } else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === text[i])) {
      at++
      i++
    } else if (star >= 0) {
      // Back to the last star only: what an earlier one took cannot matter any more.
      at = star + 1
      i = ++resume
    } else return false
  }
  while (pattern[at] === '*') at++
  return at === pattern.length
}

/** `*` and `?` stay within a component; `**` as a whole component stands for any number of them. */
export function matchesPath(pattern: string, path: string): boolean {
  const given = path.split('/')
  // reached[i]: the components of the pattern so far stand for the first i of the path.
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
