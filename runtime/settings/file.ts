import { isMap, isScalar, LineCounter, type Node, type Pair, parseDocument, type YAMLMap } from 'yaml'
import type { Settings } from './define.ts'
import { unknownName } from './nearest.ts'

/** A value as it stands in a file. */
export interface FileEntry {
  readonly value: unknown
  readonly line: number
  /** `atoll.yaml:3` */
  readonly from: string
  /** `atoll.yaml:3: http.port`, in the words of the file. */
  readonly shown: string
}

export interface Problem {
  readonly line: number
  readonly text: string
}

/** What a file says, by the keys of the settings, and what is wrong with it before anybody looks at the values. */
export interface SettingsFile {
  readonly entries: ReadonlyMap<string, FileEntry>
  readonly problems: readonly Problem[]
  /** What it has that is of another product and means nothing here: `atoll.yaml:3: trivy`. */
  readonly passedOver: readonly string[]
}

export interface ParseOptions {
  readonly name: string
  readonly text: string
  /** Keys and whole sections that a file may have and nobody reads. */
  readonly passedOver?: ReadonlySet<string> | undefined
}

/** Reads a file's YAML. It never throws: everything wrong is in `problems`. */
export function parseSettingsFile(settings: Settings, { name, text, passedOver: nobodys }: ParseOptions): SettingsFile {
  const entries = new Map<string, FileEntry>()
  const problems: Problem[] = []
  const passedOver: string[] = []
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true })
  const wrong = (line: number, sentence: string) => problems.push({ line, text: `${name}:${line}: ${sentence}` })
  for (const error of document.errors) wrong(lines.linePos(error.pos[0]).line, error.message)
  if (problems.length > 0) return { entries, problems, passedOver }

  const names = new Map(Object.entries(settings).flatMap(([key, { aliases = [] }]) => [key, ...aliases].map((each) => [each, key] as const)))
  const sections = new Set([...names.keys()].flatMap((key) => prefixes(key)))

  const walk = (map: YAMLMap, prefix: string) => {
    for (const pair of map.items as Pair<Node | null, Node | null>[]) {
      const written = isScalar(pair.key) ? String(pair.key.value) : String(pair.key)
      const path = prefix === '' ? written : `${prefix}.${written}`
      const { line } = lines.linePos(pair.key?.range?.[0] ?? 0)
      const key = names.get(path)
      if (nobodys?.has(path)) {
        passedOver.push(`${name}:${line}: ${path}`)
        continue
      }
      if (pair.value === null || (isScalar(pair.value) && pair.value.value === null)) {
        if (key === undefined && !sections.has(path)) wrong(line, unknownName(path, names.keys()))
      } else if (key !== undefined) {
        const earlier = entries.get(key)
        if (earlier !== undefined) wrong(line, `${path} is the same setting as the one at ${earlier.from}; give one of them`)
        entries.set(key, { value: pair.value.toJS(document), line, from: `${name}:${line}`, shown: `${name}:${line}: ${path}` })
      } else if (!sections.has(path)) {
        wrong(line, unknownName(path, names.keys()))
      } else if (isMap(pair.value)) {
        walk(pair.value, path)
      } else {
        wrong(line, `${path} is a section: expected settings below it, such as ${[...names.keys()].find((each) => each.startsWith(`${path}.`))}`)
      }
    }
  }
  const { contents } = document
  if (isMap(contents)) walk(contents, '')
  else if (contents !== null && !(isScalar(contents) && contents.value === null))
    wrong(1, 'expected settings, one to a line, such as "http.port: 8080"')
  return { entries, problems, passedOver }
}

function prefixes(key: string): string[] {
  const parts = key.split('.')
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('.'))
}
