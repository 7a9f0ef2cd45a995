import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isPattern, names, namesSomeOf } from './patterns.ts'

describe('a pattern', () => {
  it.each([
    ['library/*', 'library/alpine', '3', true],
    ['library/*', 'library/deep/alpine', '3', false],
    ['library/**', 'library/deep/alpine', '3', true],
    ['**', 'any/thing', undefined, true],
    ['**:latest', 'any/thing', 'latest', true],
    ['**:latest', 'any/thing', 'later', false],
    ['library/alpine:3.*', 'library/alpine', '3.19', true],
    ['library/alpine:3.*', 'library/alpine', '13.19', false],
    ['library/alpine:3.*', 'library/alpine', undefined, false],
    ['library/alpine:*', 'library/alpine', undefined, true],
    ['library/alp?ne', 'library/alpine', 'x', true],
    ['library/alpine', 'library/alpine-extra', 'x', false],
    ['*-debug', 'app-debug', undefined, true],
    ['*/*', 'library', undefined, false],
  ])('%s, asked about %s:%s, says %s', (pattern, repository, tag, expected) => {
    expect(names(pattern, repository, tag)).toBe(expected)
  })

  it('names every repository and tag that it was written from, with any part of them left to a star', () => {
    const word = fc.stringMatching(/^[a-z0-9]{1,8}$/)
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 4 }), word, fc.nat(), fc.nat(8), (components, tag, which, at) => {
        const repository = components.join('/')
        const starred = components.map((component, i) => (i === which % components.length ? `${component.slice(0, at)}*` : component)).join('/')
        expect(names(`${starred}:${tag.slice(0, at)}*`, repository, tag)).toBe(true)
        expect(namesSomeOf(`${starred}:never`, repository)).toBe(true)
        expect(names(repository, `${repository}x`, tag)).toBe(false)
      }),
    )
  })

  it('takes no longer for many stars', () => {
    expect(names(`${'*a'.repeat(200)}b`, 'a'.repeat(250), undefined)).toBe(false)
  })

  it.each(['library/*', 'a:b', '**:v?.*'])('may be %s', (text) => expect(isPattern(text)).toBe(true))
  it.each(['', 'Library/x', 'a b', 'a:', ':b', '[a]', 'x'.repeat(600)])('may not be %s', (text) => expect(isPattern(text)).toBe(false))
})
