/**
 * A pattern of literals, `?`, `*` (within a component) and `**` (any number of components), without a regular expression: time grows
 * with pattern × text, however many stars there are. undefined: there is more in it.
 */
export function wildcards(pattern: string): ((text: string) => boolean) | undefined {
  if (/[[\](){}!+@\\]/.test(pattern)) return undefined
  const wanted = pattern.split('/')
  return (text) => {
    const given = text.split('/')
    // reached[i]: the components of the pattern so far match the first i of the text.
    let reached = [true, ...given.map(() => false)]
    for (const component of wanted) {
      const before = reached
      if (component === '**') {
        const first = before.indexOf(true)
        reached = before.map((_, i) => first >= 0 && i >= first)
      } else {
        reached = before.map((_, i) => i > 0 && before[i - 1] === true && matchesComponent(component, given[i - 1] ?? ''))
      }
    }
    return reached.at(-1) === true
  }
}

/** Goes back to the last star only: what an earlier one took cannot matter any more. */
function matchesComponent(pattern: string, text: string): boolean {
  let [at, star, resume] = [0, -1, 0]
  for (let i = 0; i < text.length; ) {
    if (pattern[at] === '*') {
      star = at++
      resume = i
    } else if (at < pattern.length && (pattern[at] === '?' || pattern[at] === text[i])) {
      at++
      i++
    } else if (star >= 0) {
      at = star + 1
      i = ++resume
    } else return false
  }
  while (pattern[at] === '*') at++
  return at === pattern.length
}
