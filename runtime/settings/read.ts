import { isMap, isScalar, LineCounter, type Node, type Pair, parseDocument, type YAMLMap } from 'yaml'
import { environmentName, type Settings, type Values } from './define.ts'
import { nearest } from './nearest.ts'

export interface Sources {
  readonly file?: { readonly name: string; readonly text: string } | undefined
  readonly env: Readonly<Record<string, string | undefined>>
}

export interface ReadSettings<S extends Settings> {
  readonly values: Values<S>
  /** Where each value that is not a default comes from: `atoll.yaml:3`, `ATOLL_HTTP_PORT`. */
  readonly given: ReadonlyMap<string, string>
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

/**
 * Reads each setting from the environment, else from the file, else takes its default. An empty environment variable counts as none.
 * @throws SettingsError with every problem at once
 */
export function readSettings<S extends Settings>(settings: S, { file, env }: Sources): ReadSettings<S> {
  const problems: string[] = []
  const given = new Map<string, { value: unknown; from: string; shown: string }>()
  if (file !== undefined) {
    const found = readFile(settings, file, problems)
    for (const [key, entry] of found) given.set(key, entry)
  }
  for (const key of Object.keys(settings)) {
    const name = environmentName(key)
    const value = env[name]
    if (value !== undefined && value !== '') given.set(key, { value, from: name, shown: name })
  }
  const values: Record<string, unknown> = {}
  for (const [key, { kind, default: fallback, secret }] of Object.entries(settings)) {
    const entry = given.get(key)
    if (entry === undefined) {
      values[key] = fallback
      continue
    }
    const value = kind.read(entry.value)
    if (value === undefined) problems.push(`${entry.shown}: expected ${kind.expected}${secret === true ? '' : `, got ${show(entry.value)}`}`)
    values[key] = value
  }
  if (problems.length > 0) throw new SettingsError(problems)
  return { values: values as Values<S>, given: new Map([...given].map(([key, { from }]) => [key, from])) }
}

function readFile(settings: Settings, { name, text }: { name: string; text: string }, problems: string[]) {
  const found = new Map<string, { value: unknown; from: string; shown: string }>()
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true })
  const at = (offset: number) => `${name}:${lines.linePos(offset).line}`
  for (const error of document.errors) problems.push(`${at(error.pos[0])}: ${error.message}`)
  if (problems.length > 0) return found

  const names = new Map(Object.entries(settings).flatMap(([key, { aliases = [] }]) => [key, ...aliases].map((each) => [each, key] as const)))
  const sections = new Set([...names.keys()].flatMap((key) => prefixes(key)))

  const walk = (map: YAMLMap, prefix: string) => {
    for (const pair of map.items as Pair<Node | null, Node | null>[]) {
      const written = isScalar(pair.key) ? String(pair.key.value) : String(pair.key)
      const path = prefix === '' ? written : `${prefix}.${written}`
      const place = at(pair.key?.range?.[0] ?? 0)
      const key = names.get(path)
      if (pair.value === null || (isScalar(pair.value) && pair.value.value === null)) {
        if (key === undefined && !sections.has(path)) problems.push(unknown(place, path, names.keys()))
      } else if (key !== undefined) {
        const earlier = found.get(key)
        if (earlier !== undefined) problems.push(`${place}: ${path} is the same setting as the one at ${earlier.from}; give one of them`)
        found.set(key, { value: pair.value.toJS(document), from: place, shown: `${place}: ${path}` })
      } else if (sections.has(path)) {
        if (isMap(pair.value)) walk(pair.value, path)
        else
          problems.push(
            `${place}: ${path} is a section: expected settings below it, such as ${[...names.keys()].find((each) => each.startsWith(`${path}.`))}`,
          )
      } else {
        problems.push(unknown(place, path, names.keys()))
      }
    }
  }
  const { contents } = document
  if (isMap(contents)) walk(contents, '')
  else if (contents !== null && !(isScalar(contents) && contents.value === null))
    problems.push(`${name}:1: expected settings, one to a line, such as "http.port: 8080"`)
  return found
}

function unknown(place: string, path: string, names: Iterable<string>): string {
  const near = nearest(path, names)
  return `${place}: there is no setting ${path}${near === undefined ? '' : `; did you mean ${near}?`}`
}

function prefixes(key: string): string[] {
  const parts = key.split('.')
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('.'))
}

const SHOWN = 80

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text
}
