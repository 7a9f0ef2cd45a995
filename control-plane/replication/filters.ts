import { doublestar } from '../../policy/doublestar.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { ReplicationFilter } from '../../schema/replication.ts'

/** What a rule's filters let through. */
export interface ReplicationFilters {
  name(repository: string): boolean
  tag(tag: string): boolean
  /** Names that the filters spell out, so that no catalog is needed; undefined: they are patterns. */
  readonly literalNames: readonly string[] | undefined
}

/**
 * Harbor's filters: `name` and `tag` with doublestar patterns (`*` within a component, `**` across, `{a,b}`), `excludes` turning a
 * filter round. All must let something through.
 * @throws RegistryError UNSUPPORTED for a filter that this registry does not have, NAME_INVALID for a pattern that is none
 */
export function readFilters(filters: readonly ReplicationFilter[]): ReplicationFilters {
  const names: ((text: string) => boolean)[] = []
  const tags: ((text: string) => boolean)[] = []
  const literals: string[][] = []
  for (const { type, value, decoration } of filters) {
    if (type === 'resource' && (value === '' || value === 'image' || value === 'artifact')) continue
    if (type !== 'name' && type !== 'tag') throw new RegistryError('UNSUPPORTED', `Filters by ${type} are not supported yet; use name and tag.`)
    if (typeof value !== 'string') throw new RegistryError('NAME_INVALID', `The ${type} filter needs a pattern as its value.`)
    if (value === '') continue
    const matches = matcher(type, value)
    const excludes = decoration === 'excludes'
    const list = type === 'name' ? names : tags
    list.push((text) => matches(text) !== excludes)
    if (type === 'name' && !excludes) literals.push(spelledOut(value))
  }
  const literal = literals.find((list) => list.length > 0)
  return {
    name: (repository) => names.every((matches) => matches(repository)),
    tag: (tag) => tags.every((matches) => matches(tag)),
    literalNames: literal,
  }
}

function matcher(type: string, pattern: string): (text: string) => boolean {
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
