import { expect, it } from 'vitest'
import { filteredGroups, optionalGroupFilter } from './group-filter.ts'

it('takes the patterns that Harbor takes, and no others', () => {
  for (const pattern of ['(?i)^dev', '^team\\-[a-z]+', '^(a+)+$', '[[:alpha:]]+', '\\Aops\\z', '(?P<team>x)'])
    expect(optionalGroupFilter.read(pattern)).toBe(pattern)
  for (const pattern of ['(', '[a', '(?=ahead)', '(a)\\1', 'a{2001}']) expect(optionalGroupFilter.read(pattern), pattern).toBeUndefined()
  expect(optionalGroupFilter.read('')).toBeUndefined()
})

it('finds it anywhere in a name', () => {
  const names = ['Developers', 'team-a', 'ops', 'devops']
  expect(filteredGroups(names, '(?i)^dev')).toEqual(['Developers', 'devops'])
  expect(filteredGroups(names, 'ops')).toEqual(['ops', 'devops'])
  expect(filteredGroups(names, undefined)).toEqual(names)
})

it('is done with a name that makes other engines try every way there is', () => {
  expect(filteredGroups([`${'a'.repeat(200)}!`], '^(a+)+$')).toEqual([])
})
