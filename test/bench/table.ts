export interface Row {
  readonly what: string
  readonly unit: string
  /** What is better: more of it, or less. */
  readonly better: 'more' | 'less'
  readonly atoll: number
  readonly peer: number
  readonly aim: string
  /** Processor time of each for one unit of the same work, where it was measured: it swings less than the rate when others use the machine. */
  readonly cpu?: { readonly atoll: number; readonly peer: number; readonly unit: string }
}

/** Prints the ratio first: absolute figures mean nothing on another machine. A ratio above 1 is in Atoll's favour. */
export function printRows(title: string, peer: string, rows: readonly Row[]): void {
  process.stdout.write(`\n## ${title}\n\n| what | ratio | aim | Atoll | ${peer} | CPU |\n| --- | --- | --- | --- | --- | --- |\n`)
  for (const row of rows) {
    const ratio = row.better === 'more' ? row.atoll / row.peer : row.peer / row.atoll
    process.stdout.write(
      `| ${row.what} | ${ratio.toFixed(2)} | ${row.aim} | ${figure(row.atoll)} ${row.unit} | ${figure(row.peer)} ${row.unit} | ${cpuOf(row)} |\n`,
    )
  }
}

function cpuOf({ cpu }: Row): string {
  return cpu === undefined ? '' : `${figure(cpu.atoll)} : ${figure(cpu.peer)} ${cpu.unit}`
}

function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(2) : value.toFixed(3)
}

/** What was seen, where there is a promise and no peer. */
export function printSeen(title: string, rows: readonly (readonly [what: string, aim: string, seen: string])[]): void {
  const lines = rows.map((row) => `| ${row.join(' | ')} |`)
  process.stdout.write(`\n## ${title}\n\n| what | aim | seen |\n| --- | --- | --- |\n${lines.join('\n')}\n`)
}

/** Figures that stand by themselves. */
export function printTable(title: string, head: readonly string[], rows: readonly (readonly string[])[]): void {
  const lines = [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`)
  process.stdout.write(`\n## ${title}\n\n${lines.join('\n')}\n`)
}
