import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseTag } from '../spec/names.ts'
import { LEASE_TIMES, leaseTimesOf, parseLeaseRules } from './lease-rules.ts'

const minute = 60_000
const day = 24 * 60 * minute
const fresh = (tag: string, rules = '') => leaseTimesOf(parseLeaseRules(rules) ?? [], parseTag(tag)).freshMs

describe('how long a tag holds', () => {
  it.each(['v1.2.3', '1.27.0-alpine', '3.19.1', 'v10.0.0-rc.1'])('%s is a full version: hours', (tag) => {
    expect(fresh(tag)).toBeGreaterThan(60 * minute)
  })

  it.each(['latest', '1.27', 'v1', 'bookworm', 'main', 'release-1.2.3', `sha256-${'a'.repeat(64)}.sig`])('%s may move: a minute', (tag) => {
    expect(fresh(tag)).toBe(minute)
  })

  it('is what the first rule of the project says that matches', () => {
    const rules = 'nightly-*=10s, v*=12h/7d/30d , *.0=1h, a*b*c=2m'
    expect(fresh('nightly-2024', rules)).toBe(10_000)
    expect(leaseTimesOf(parseLeaseRules(rules) ?? [], parseTag('v1'))).toEqual({ freshMs: day / 2, behindMs: 7 * day, staleMs: 30 * day })
    expect(fresh('1.0', rules)).toBe(60 * minute)
    expect(fresh('a-b-c', rules)).toBe(2 * minute)
    expect(fresh('a-c-b', rules)).toBe(minute)
    expect(fresh('latest', rules)).toBe(LEASE_TIMES.freshMs)
  })

  it('follows from the first time where the others are left out', () => {
    expect(leaseTimesOf(parseLeaseRules('*=5m') ?? [], parseTag('x'))).toEqual({ freshMs: 5 * minute, behindMs: 50 * minute, staleMs: 7 * day })
    expect(leaseTimesOf(parseLeaseRules('*=30d') ?? [], parseTag('x')).staleMs).toBe(30 * day)
    expect(leaseTimesOf(parseLeaseRules('*=0s/0s') ?? [], parseTag('x'))).toMatchObject({ freshMs: 0, behindMs: 0 })
  })

  it.each([
    'latest',
    '=1m',
    'latest=',
    'latest=1',
    'latest=1w',
    'a=1m/2m/3m/4m',
    'a=1m=2m',
    'a b=1m',
    'a=1m,',
    '*=999999d',
    'a=-1m',
    `${'a=1m,'.repeat(50)}a=1m`,
  ])('%s is no rule', (text) => {
    expect(parseLeaseRules(text)).toBeUndefined()
  })

  it('holds for a tag with any pieces left out', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9]{1,12}$/), fc.array(fc.nat({ max: 12 }), { maxLength: 4 }), (tag, cuts) => {
        const at = [...new Set(cuts.map((cut) => Math.min(cut, tag.length)))].sort((a, b) => a - b)
        const pattern = at.reduceRight((text, cut) => `${text.slice(0, cut)}*${text.slice(cut)}`, tag)
        expect(fresh(tag, `${pattern}=7s`)).toBe(7_000)
        expect(fresh(`${tag}_`, `${pattern}=7s`) === 7_000).toBe(pattern.endsWith('*'))
      }),
    )
  })
})
