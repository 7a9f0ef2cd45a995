import { styleText } from 'node:util'

export interface Column<T> {
  readonly title: string
  readonly value: (row: T) => string | number | boolean | undefined | null
}

/** Where answers go: tables and sentences for people, JSON (and only JSON) on standard output for programs. */
export class Output {
  readonly json: boolean
  readonly #stdout: NodeJS.WriteStream
  readonly #stderr: NodeJS.WriteStream

  constructor(options: { json: boolean; stdout: NodeJS.WriteStream; stderr: NodeJS.WriteStream }) {
    this.json = options.json
    this.#stdout = options.stdout
    this.#stderr = options.stderr
  }

  /** A list; `empty` says what to do when there is nothing yet. */
  rows<T>(rows: readonly T[], columns: readonly Column<T>[], empty: string): void {
    if (this.json) {
      this.#print(JSON.stringify(rows, undefined, 2))
      return
    }
    if (rows.length === 0) {
      this.note(empty)
      return
    }
    const cells = rows.map((row) => columns.map((column) => text(column.value(row))))
    const widths = columns.map((column, index) => Math.max(column.title.length, ...cells.map((line) => line[index]?.length ?? 0)))
    const layout = (line: readonly string[]) =>
      line
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd()
    this.#print(styleText('bold', layout(columns.map((column) => column.title)), { stream: this.#stdout }))
    for (const line of cells) this.#print(layout(line))
  }

  /** One thing: its JSON, or a sentence about it. */
  item(value: unknown, sentence: string): void {
    this.#print(this.json ? JSON.stringify(value ?? {}, undefined, 2) : sentence)
  }

  /** Beside the answer, for people only; never on standard output. */
  note(sentence: string): void {
    if (!this.json) this.#stderr.write(`${sentence}\n`)
  }

  error(message: string, exitCode: number): void {
    const lines = this.json ? [JSON.stringify({ error: { message, exitCode } })] : message.split('\n').map((line) => `atoll: ${line}`)
    for (const line of lines) this.#stderr.write(`${line}\n`)
  }

  #print(line: string): void {
    this.#stdout.write(`${line}\n`)
  }
}

export function bytes(count: number | undefined): string {
  if (count === undefined || count < 0) return 'unlimited'
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let value = count
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[unit]}`
}

function text(value: string | number | boolean | undefined | null): string {
  if (value === undefined || value === null || value === '') return '-'
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  return String(value)
}
