import fc from 'fast-check'
import picomatch from 'picomatch'
import { describe, expect, it } from 'vitest'
import { doublestar } from './doublestar.ts'
import { matchesPath } from './globs.ts'

const component = fc.string({ unit: fc.constantFrom('a', 'b', '-', '?', '*'), minLength: 1, maxLength: 5 }).filter((text) => !text.includes('**'))
const pattern = fc
  .array(fc.oneof(component, fc.constant('**')), { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join('/'))
  // After a star picomatch wants something for `/**`, though it takes `a` for `?/**` and for `a/**`; here `**` is any number, none included.
  .filter((text) => !text.includes('*/**'))
const name = fc
  .array(fc.string({ unit: fc.constantFrom('a', 'b', '-'), minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join('/'))

describe('patterns of stars', () => {
  it('match what picomatch says', () => {
    fc.assert(
      fc.property(pattern, name, (glob, text) => {
        expect(matchesPath(glob, text)).toBe(picomatch.isMatch(text, glob, { dot: true, noextglob: true }))
      }),
      { numRuns: 5_000 },
    )
  })

  it('cost no more for many stars than for one', () => {
    const matches = doublestar(`${'*a'.repeat(40)}*b`)
    expect(matches('a'.repeat(128))).toBe(false)
    expect(matches(`${'a'.repeat(127)}b`)).toBe(true)
  })

  it('are few beside braces, and in no groups', () => {
    for (const wrong of ['{x,*a*a*a*a}b', '(a+)+b', 'a'.repeat(1_001)]) expect(() => doublestar(wrong)).toThrow(SyntaxError)
    expect(doublestar('{v*,w*}-*')('v1-2')).toBe(true)
  })
})
