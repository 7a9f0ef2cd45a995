import { expect, it } from 'vitest'
import { optionalFilter } from './filters.ts'

it.each(['(objectClass=person)', 'objectClass=person', '(&(a=b)(!(c=d)))', '(|(memberOf=cn=x,dc=y)(uid=a*))'])('%s is a filter', (text) => {
  expect(optionalFilter.read(text)).toBe(text)
})

it.each(['(objectClass=person', 'person', '((a=b))', '(a=b))'])('%s is none', (text) => {
  expect(optionalFilter.read(text)).toBeUndefined()
})
