import { environmentName, type Settings, type Values } from './define.ts'
import { type Environment, fromEnvironment, unknownVariables } from './environment.ts'
import type { SettingsFile } from './file.ts'

export interface Sources {
  readonly file?: SettingsFile | undefined
  readonly env: Environment
  /** Variables with our prefix that are no settings. Any other that is none is a mistake. */
  readonly otherVariables?: readonly string[]
}

export interface ReadSettings<S extends Settings> {
  readonly values: Values<S>
  /** Where each value that is not a default comes from: `atoll.yaml:3`, `ATOLL_HTTP_PORT`. */
  readonly given: ReadonlyMap<string, string>
  /** What the file has that nobody reads, each with its line. */
  readonly passedOver: readonly string[]
}

/** Everything that is wrong with the settings, each with its place. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}

/** After the last line of any file: the environment. */
const NO_LINE = Number.POSITIVE_INFINITY

/**
 * Reads each setting from the environment, else from the file, else takes its default. An empty environment variable counts as none.
 * @throws SettingsError with every problem at once, the file's by line and the environment's after them
 */
export function readSettings<S extends Settings>(settings: S, { file, env, otherVariables = [] }: Sources): ReadSettings<S> {
  const problems = [...(file?.problems ?? []), ...unknownVariables(settings, env, otherVariables).map((text) => ({ line: NO_LINE, text }))]
  const given = new Map<string, { value: unknown; line: number; from: string; shown: string }>(file?.entries)
  for (const key of Object.keys(settings)) {
    const value = fromEnvironment(env, key)
    const name = environmentName(key)
    if (value !== undefined) given.set(key, { value, line: NO_LINE, from: name, shown: name })
  }
  const values: Record<string, unknown> = {}
  for (const [key, { kind, default: fallback, secret }] of Object.entries(settings)) {
    const entry = given.get(key)
    if (entry === undefined) {
      values[key] = fallback
      continue
    }
    const value = kind.read(entry.value)
    if (value === undefined) {
      const got = secret === true ? '' : `, got ${show(entry.value)}`
      problems.push({ line: entry.line, text: `${entry.shown}: expected ${kind.expected}${got}` })
    }
    values[key] = value
  }
  // Infinity less Infinity is no number, and no order.
  if (problems.length > 0) throw new SettingsError(problems.sort((a, b) => (a.line === b.line ? 0 : a.line - b.line)).map(({ text }) => text))
  return { values: values as Values<S>, given: new Map([...given].map(([key, { from }]) => [key, from])), passedOver: file?.passedOver ?? [] }
}

const SHOWN = 80

function show(value: unknown): string {
  // JSON knows no NaN and no infinity, and would call them null.
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value))
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text
}
