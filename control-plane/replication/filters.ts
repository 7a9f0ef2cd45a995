import { Range, SemVer } from 'semver'
import { doublestar } from '../../policy/doublestar.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { ReplicationFilter } from '../../schema/replication.ts'
import type { ArtifactFacts } from './facts.ts'
import { platformsOf } from './platforms.ts'

/** What a rule's filters let through. */
export interface ReplicationFilters {
  name(repository: string): boolean
  tag(tag: string): boolean
  /** For an artifact whose name and tag have passed; undefined: no filter asks for more than those. */
  readonly artifact: ((facts: ArtifactFacts) => boolean) | undefined
  /** Names that the filters spell out, so that no catalog is needed; undefined: they are patterns. */
  readonly literalNames: readonly string[] | undefined
}

/** Before the value of a tag filter that is a range of versions: `semver:>=1.2 <3`. */
const SEMVER = 'semver:'

/** What the filter by resource can say; the empty word and `artifact` are everything. */
const RESOURCES: Readonly<Record<string, (kind: ArtifactFacts['kind']) => boolean>> = {
  '': () => true,
  artifact: () => true,
  image: (kind) => kind === 'image',
  chart: (kind) => kind === 'chart',
}

/**
 * Harbor's filters: `name` and `tag` with doublestar patterns (`*` within a component, `**` across, `{a,b}`), `label` with names of
 * labels (an artifact must carry all of them), `resource` with a kind of artifact; `excludes` turns a filter round. All must let
 * something through. Beyond Harbor, the value of a tag filter may be `semver:` and a range of versions, and `platform` with platforms says which
 * parts of an index are copied.
 * @throws RegistryError UNSUPPORTED for a filter that this registry does not have, NAME_INVALID for a value that is none
 */
export function readFilters(filters: readonly ReplicationFilter[]): ReplicationFilters {
  const names: Test<string>[] = []
  const tags: Test<string>[] = []
  const artifacts: Test<ArtifactFacts>[] = []
  const literals: string[][] = []
  // They keep no artifact out; here it is seen to that they can be read.
  platformsOf(filters)
  for (const filter of filters) {
    const { type, value, decoration } = filter
    if (value === '' || (Array.isArray(value) && value.length === 0)) continue
    const excludes = decoration === 'excludes'
    if (type === 'label') artifacts.push(turned(carriesAll(value), excludes))
    else if (type === 'resource') {
      const matches = RESOURCES[textOf(filter)]
      if (matches === undefined) throw new RegistryError('UNSUPPORTED', `There is no resource ${value}; use image, chart or artifact.`)
      if (value !== 'artifact' || excludes) artifacts.push(turned(({ kind }) => matches(kind), excludes))
    } else if (type === 'tag') tags.push(turned(tagMatcher(textOf(filter)), excludes))
    else if (type === 'name') {
      names.push(turned(matcher(type, textOf(filter)), excludes))
      if (!excludes) literals.push(spelledOut(textOf(filter)))
    } else if (type !== 'platform')
      throw new RegistryError('UNSUPPORTED', `There are no filters by ${type}; use name, tag, label, resource and platform.`)
  }
  return {
    name: all(names),
    tag: all(tags),
    artifact: artifacts.length === 0 ? undefined : all(artifacts),
    literalNames: literals.find((list) => list.length > 0),
  }
}

type Test<T> = (one: T) => boolean

function all<T>(tests: readonly Test<T>[]): Test<T> {
  return (one) => tests.every((test) => test(one))
}

function turned<T>(test: Test<T>, round: boolean): Test<T> {
  return round ? (one) => !test(one) : test
}

function textOf({ type, value }: ReplicationFilter): string {
  if (typeof value !== 'string') throw new RegistryError('NAME_INVALID', `The ${type} filter needs one text as its value.`)
  return value
}

function carriesAll(value: unknown): Test<ArtifactFacts> {
  const wanted = typeof value === 'string' ? [value] : value
  if (!Array.isArray(wanted) || !wanted.every((name) => typeof name === 'string'))
    throw new RegistryError('NAME_INVALID', 'The label filter needs a list of names of labels as its value.')
  return ({ labels }) => wanted.every((name) => labels.has(name))
}

function tagMatcher(pattern: string): Test<string> {
  if (!pattern.startsWith(SEMVER)) return matcher('tag', pattern)
  const range = rangeOf(pattern.slice(SEMVER.length))
  return (tag) => {
    const version = versionOf(tag)
    return version !== undefined && range.test(version)
  }
}

function rangeOf(text: string): Range {
  try {
    return new Range(text)
  } catch (error) {
    throw new RegistryError('NAME_INVALID', `In a tag filter ${text} is no range of versions, such as >=1.2 <3 or ^2.`, undefined, { cause: error })
  }
}

/** A tag that is a whole version, also with a `v` before it: `1.2` could mean any version that begins so. */
function versionOf(tag: string): SemVer | undefined {
  try {
    return new SemVer(tag)
  } catch {
    return undefined
  }
}

function matcher(type: string, pattern: string): Test<string> {
  try {
    return doublestar(pattern)
  } catch (error) {
    throw new RegistryError('NAME_INVALID', `In a ${type} filter ${error instanceof Error ? error.message : 'this is no pattern'}.`, undefined, {
      cause: error,
    })
  }
}

/** `library/{nginx,redis}` are two names; empty: there are patterns in it. */
function spelledOut(pattern: string): string[] {
  const braces = pattern.match(/^([^{}]*)\{([^{}]*)\}([^{}]*)$/)
  const names = braces ? (braces[2] ?? '').split(',').map((part) => `${braces[1]}${part}${braces[3]}`) : [pattern]
  return names.every((name) => /^[a-z0-9._/-]+$/.test(name) && !name.includes('..')) ? names : []
}
