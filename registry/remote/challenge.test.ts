import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseChallenges } from './challenge.ts'

const read = (header: string) => parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)])

describe('WWW-Authenticate', () => {
  it.each([
    [
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io"',
      [['bearer', { realm: 'https://auth.docker.io/token', service: 'registry.docker.io' }]],
    ],
    [
      'Basic realm="a, b", Bearer realm=x , scope = "repository:a:pull,push"',
      [
        ['basic', { realm: 'a, b' }],
        ['bearer', { realm: 'x', scope: 'repository:a:pull,push' }],
      ],
    ],
    [
      'Negotiate, Basic realm="x"',
      [
        ['negotiate', {}],
        ['basic', { realm: 'x' }],
      ],
    ],
    [
      'Negotiate YWJj==, basic REALM="\\"quoted\\" \\\\"',
      [
        ['negotiate', {}],
        ['basic', { realm: '"quoted" \\' }],
      ],
    ],
    ['Bearer realm="a",realm="b"', [['bearer', { realm: 'a' }]]],
    [', ,Basic realm=""', [['basic', { realm: '' }]]],
    ['Bearer realm="unterminated', [['bearer', {}]]],
    ['Bearer realm="a" garbage, Basic realm="b"', [['bearer', { realm: 'a' }]]],
    ['', []],
    ['"', []],
  ])('reads %s', (header, expected) => {
    expect(read(header)).toEqual(expected)
  })

  it('reads any text without failing, within its bounds', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('Bearer', ' ', ',', '=', '"', '\\', 'realm', '\t', 'é', '~', '/')), (parts) => {
        const challenges = parseChallenges(parts.join(''))
        expect(challenges.length).toBeLessThanOrEqual(16)
        for (const { scheme } of challenges) expect(scheme).toMatch(/^[!-~]+$/)
      }),
    )
    expect(parseChallenges('A '.repeat(100_000)).length).toBeLessThanOrEqual(16)
    expect(parseChallenges(`Bearer ${Array.from({ length: 5_000 }, (_, index) => `a${index}=b`).join()}`)[0]?.parameters.size).toBe(32)
  })

  it('gives back what was written with quotes', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 100 }), (value) => {
        const quoted = value.replace(/[\\"]/g, '\\$&')
        expect(parseChallenges(`Bearer realm="${quoted}",x=y`)[0]?.parameters.get('realm')).toBe(value)
      }),
    )
  })
})
