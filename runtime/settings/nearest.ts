/** The sentence about a name that nobody knows, with the one that was probably meant. */
export function unknownName(written: string, names: Iterable<string>): string {
  const near = nearest(written, names)
  return `there is no setting ${written}${near === undefined ? '' : `; did you mean ${near}?`}`
}

/** The name that was probably meant: the one with the fewest edits, if they are few for its length. */
function nearest(written: string, names: Iterable<string>): string | undefined {
  let best: string | undefined
  let fewest = Math.max(2, Math.floor(written.length / 3)) + 1
  for (const name of names) {
    // The last part alone is what people remember: `port` for `http.port`.
    const edits = name.endsWith(`.${written}`) ? 1 : distance(written.toLowerCase(), name.toLowerCase())
    if (edits < fewest) {
      best = name
      fewest = edits
    }
  }
  return best
}

/** Insertions, deletions and replacements between two texts (Levenshtein), and swaps of neighbours as one. */
function distance(a: string, b: string): number {
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (above[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? (before[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY
      row.push(Math.min(replaced, swapped, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1))
    }
    before = above
    above = row
  }
  return above[b.length] ?? 0
}
