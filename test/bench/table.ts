export interface Row {
  readonly what: string
  readonly unit: string
  /** What is better: more of it, or less. */
  readonly better: 'more' | 'less'
  readonly atoll: number
  readonly peer: number
  readonly aim: string
}

/** Prints the ratio first: absolute figures mean nothing on another machine. A ratio above 1 is in Atoll's favour. */
export function printRows(title: string, peer: string, rows: readonly Row[]): void {
  process.stdout.write(`\n## ${title}\n\n| what | ratio | aim | Atoll | ${peer} |\n| --- | --- | --- | --- | --- |\n`)
  for (const row of rows) {
    const ratio = row.better === 'more' ? row.atoll / row.peer : row.peer / row.atoll
    process.stdout.write(`| ${row.what} | ${ratio.toFixed(2)} | ${row.aim} | ${figure(row.atoll)} ${row.unit} | ${figure(row.peer)} ${row.unit} |\n`)
  }
}

function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(2) : value.toFixed(3)
}
