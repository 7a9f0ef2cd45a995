import fc from 'fast-check'
import picomatch from 'picomatch'
import { describe, expect, it } from 'vitest'
import { ALTERNATIVES_LIMIT, doublestar } from './doublestar.ts'

/** Fewer than a pattern may have, so that no combination of them is refused. */
const MOST_BRACES = 5

const component = fc.string({ unit: fc.constantFrom('a', 'b', '-', '?', '*', '[ab]', '[^b]', '{a,b-}'), minLength: 1, maxLength: 5 })
const pattern = fc
  .array(fc.oneof(component, fc.constant('**')), { minLength: 1, maxLength: 4 })
  .map((parts) => parts.map((part) => (part === '**' ? part : part.replace(/\*+/g, '*'))).join('/'))
  // After a star picomatch wants something for `/**`, though it takes `a` for `?/**` and for `a/**`; here `**` is any number, none included.
  .filter((text) => !text.includes('*/**') && text.split('{').length <= MOST_BRACES + 1)
const name = fc
  .array(fc.string({ unit: fc.constantFrom('a', 'b', '-'), minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join('/'))

describe('a pattern of a rule', () => {
  it('matches what picomatch says', () => {
    fc.assert(
      fc.property(pattern, name, (glob, text) => {
        expect(doublestar(glob)(text)).toBe(picomatch.isMatch(text, glob, { dot: true, noextglob: true }))
      }),
      { numRuns: 5_000 },
    )
  })

  it.each([
    ['{library/**,team/app}', 'library/a/b', true],
    ['{library/**,team/app}', 'team/app', true],
    ['{library/**,team/app}', 'team/other', false],
    ['{**,x}/app', 'a/b/app', true],
    ['v{1,2}.{0,1{0,1}}', 'v2.11', true],
    ['v{1,2}.{0,1{0,1}}', 'v2.12', false],
    ['{,release-}v*', 'v1', true],
    ['v[0-9].[!0]', 'v1.2', true],
    ['v[0-9].[!0]', 'v1.0', false],
    ['[]a]', ']', true],
    ['\\*', '*', true],
    ['\\*', 'a', false],
    ['a\\{b', 'a{b', true],
    ['(a+)+b', 'aab', false],
    ['!v1', 'v2', false],
  ])('%s, asked about %s, says %s', (glob, text, expected) => expect(doublestar(glob)(text)).toBe(expected))

  it('costs no more for many stars or many braces than for one', () => {
    const stars = doublestar(`{x,${'*a'.repeat(40)}}*b`)
    expect(stars('a'.repeat(128))).toBe(false)
    expect(stars(`${'a'.repeat(127)}b`)).toBe(true)
    expect(doublestar('{a,a}'.repeat(100))('a'.repeat(99))).toBe(false)
    expect(doublestar('{a,b}'.repeat(8))('ab'.repeat(4))).toBe(true)
  })

  it.each([
    '{a,b}'.repeat(9),
    `${'{a,b}'.repeat(8)}${'*a'.repeat(40)}`,
    `${'{'.repeat(30)}a${'}'.repeat(30)}`,
    'a'.repeat(1_001),
    '{a',
    'a}',
    '[a',
    'a[/]',
  ])('may not be %s', (wrong) => {
    expect(() => doublestar(wrong)).toThrow(SyntaxError)
  })

  it('says how many alternatives there may be', () => {
    expect(() => doublestar('{a,b}'.repeat(9))).toThrow(String(ALTERNATIVES_LIMIT))
  })
})
