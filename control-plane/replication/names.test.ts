import { describe, expect, it } from 'vitest'
import { parseRepositoryName } from '../../registry/spec/names.ts'
import { destinationName } from './destination-name.ts'
import { readFilters } from './filters.ts'

describe('names at the destination', () => {
  it.each([
    ['a/b/c', '', -1, 'a/b/c'],
    ['a/b/c', 'x', -1, 'x/c'],
    ['a/b/c', 'x', 0, 'x/a/b/c'],
    ['a/b/c', 'x', 1, 'x/b/c'],
    ['a/b/c', 'x', 2, 'x/c'],
    ['a/b/c', 'x', 9, 'x/c'],
    ['a/b/c', 'x/y', 1, 'x/y/b/c'],
    ['a', 'x', -1, 'x/a'],
  ])('%s into %j, replacing %i, is %s', (name, namespace, count, expected) => {
    expect(destinationName(parseRepositoryName(name), namespace, count)).toBe(expected)
  })

  it('a namespace that makes no name is refused', () => {
    expect(() => destinationName(parseRepositoryName('a/b'), '../x', 1)).toThrow(expect.objectContaining({ code: 'NAME_INVALID' }))
  })
})

describe('filters', () => {
  const name = (value: string, decoration?: string) => readFilters([{ type: 'name', value, ...(decoration !== undefined && { decoration }) }])

  it.each([
    ['library/*', 'library/nginx', true],
    ['library/*', 'library/a/b', false],
    ['library/**', 'library/a/b', true],
    ['**', 'anything/at/all', true],
    ['', 'anything', true],
    ['{library,team}/ng?nx', 'team/nginx', true],
    ['library/nginx', 'library/nginx2', false],
  ])('%j on %s: %s', (pattern, repository, expected) => {
    expect(name(pattern).name(repository)).toBe(expected)
    if (pattern !== '') expect(name(pattern, 'excludes').name(repository)).toBe(!expected)
  })

  it('names that are spelled out need no catalog', () => {
    expect(name('library/{nginx,redis}').literalNames).toEqual(['library/nginx', 'library/redis'])
    expect(name('library/nginx').literalNames).toEqual(['library/nginx'])
    expect(name('library/*').literalNames).toBeUndefined()
    expect(name('library/nginx', 'excludes').literalNames).toBeUndefined()
  })

  it('all must agree', () => {
    const { tag } = readFilters([
      { type: 'tag', value: 'v*' },
      { type: 'tag', value: '*-rc*', decoration: 'excludes' },
      { type: 'resource', value: 'image' },
    ])
    expect(['v1', 'v1-rc1', 'latest'].filter(tag)).toEqual(['v1'])
  })

  it.each([
    ['semver:>=1.2 <2', ['v1.2.0', '1.9.3']],
    ['semver:^2', ['2.0.0']],
    ['semver:>=2.0.0-0', ['2.0.0', '2.0.0-rc.1']],
  ])('versions in %s', (value, expected) => {
    const tags = ['v1.2.0', '1.9.3', '2.0.0', '2.0.0-rc.1', '1.1.9', 'latest', '1.2', 'semver']
    expect(tags.filter(readFilters([{ type: 'tag', value }]).tag)).toEqual(expected)
    const others = readFilters([{ type: 'tag', value, decoration: 'excludes' }])
    expect(tags.filter(others.tag)).toEqual(tags.filter((tag) => !expected.includes(tag)))
  })

  it('an artifact must carry every label, and be of the kind', () => {
    const { artifact } = readFilters([
      { type: 'label', value: ['tested', 'released'] },
      { type: 'label', value: ['withdrawn'], decoration: 'excludes' },
      { type: 'resource', value: 'image' },
    ])
    const passes = (kind: 'image' | 'chart', ...labels: string[]) => artifact?.({ kind, labels: new Set(labels) })
    expect(passes('image', 'tested', 'released', 'other')).toBe(true)
    expect(passes('image', 'tested')).toBe(false)
    expect(passes('image', 'tested', 'released', 'withdrawn')).toBe(false)
    expect(passes('chart', 'tested', 'released')).toBe(false)
    expect(readFilters([{ type: 'resource', value: 'artifact' }]).artifact, 'nothing to ask for').toBeUndefined()
  })

  it.each([
    [{ type: 'label', value: [7] }],
    [{ type: 'tag', value: 'semver:one' }],
    [{ type: 'resource', value: 'tree' }],
    [{ type: 'name', value: 7 }],
    [{ type: 'name', value: 'x'.repeat(2_000) }],
  ])('refuses %j', (filter) => {
    expect(() => readFilters([filter])).toThrow(expect.objectContaining({ name: 'RegistryError' }))
  })
})
