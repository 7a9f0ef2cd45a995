import { describe, expect, it } from 'vitest'
import { retryAfterSeconds } from './errors.ts'

const NOW = Date.parse('2026-01-02T03:04:05Z')
const DAY_S = 86_400

describe('Retry-After', () => {
  it.each([
    ['0', 0],
    ['120', 120],
    ['999999999', DAY_S],
    ['1234567890', DAY_S],
    ['9'.repeat(400), DAY_S],
    ['Fri, 02 Jan 2026 03:05:05 GMT', 60],
    ['Fri, 02 Jan 2026 03:04:00 GMT', 0],
    ['Fri, 31 Dec 9999 23:59:59 GMT', DAY_S],
    ['soon', undefined],
    ['', undefined],
  ])('%s is a wait of at most a day, if it is one', (text, seconds) => {
    expect(retryAfterSeconds(new Headers({ 'retry-after': text }), NOW)).toBe(seconds)
  })
})
