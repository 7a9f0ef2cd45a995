import { expect, it } from 'vitest'
import { landingOf } from './landing.ts'

it.each([
  [undefined, '/'],
  ['', '/'],
  ['/harbor/projects?page=2#top', '/harbor/projects?page=2#top'],
  ['/a/../b', '/b'],
])('%j leads to %s', (wanted, landing) => {
  expect(landingOf(wanted)).toBe(landing)
})

it.each([
  'https://evil.example',
  '//evil.example',
  '/\\evil.example',
  '\\\\evil.example',
  '/\t/evil.example',
  '/.//evil.example',
  '/a/..//evil.example',
  'javascript:alert(1)',
  'projects',
])('%j is refused', (wanted) => {
  expect(() => landingOf(wanted)).toThrow('must be a path of this registry')
})
