import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ApiError } from './errors.ts'
import { parseQuery } from './query.ts'

const KEYS = ['a', 'b', 'c']
const read = (text: string) => Object.fromEntries(parseQuery(text, KEYS).known)

describe('q= says what Harbor’s clients mean', () => {
  test.each([
    ['a=v', { a: { match: 'exact', value: 'v' } }],
    ['a=12', { a: { match: 'exact', value: 12 } }],
    ['a="12"', { a: { match: 'exact', value: '12' } }],
    ['a="x,y",b=~z', { a: { match: 'exact', value: 'x,y' }, b: { match: 'fuzzy', value: 'z' } }],
    ['a=[1~9]', { a: { match: 'range', min: 1, max: 9 } }],
    ["a=['2020-04-09 02:36:00'~]", { a: { match: 'range', min: '2020-04-09 02:36:00', max: undefined } }],
    ['a={x "y z" 3}', { a: { match: 'any', values: ['x', 'y z', 3] } }],
    ['a=(x y)', { a: { match: 'all', values: ['x', 'y'] } }],
    ['a=k=v', { a: { match: 'exact', value: 'k=v' } }],
    ['a%3D%7B1%202%7D', { a: { match: 'any', values: [1, 2] } }],
    ['a=~50%', { a: { match: 'fuzzy', value: '50%' } }],
    ['z=1,a=2', { a: { match: 'exact', value: 2 } }],
    ['', {}],
  ])('%s', (text, expected) => {
    expect(read(text)).toEqual(expected)
  })

  test.each(['=v', 'a', 'a=1,a=2', 'z={', 'a={', 'a="x', 'a={}', 'a=[1~2~3]', 'a=[1]', `a=${'x'.repeat(5000)}`])('%s is refused', (text) => {
    expect(() => read(text)).toThrow(ApiError)
  })

  test('whatever is written, the answer is conditions or a refusal', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'abc=~,[](){}"\' 1x') }), (text) => {
        try {
          read(text)
        } catch (error) {
          expect(error).toBeInstanceOf(ApiError)
        }
      }),
    )
  })
})
