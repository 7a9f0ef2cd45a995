import { describe, expect, it } from 'vitest'
import { judgeContent, judgeName, looksInside, NO_RULES, type UpstreamRules } from './upstream-rules.ts'

const DAY = 86_400_000
const NOW = 1_000 * DAY
const DIGEST = `sha256:${'a'.repeat(64)}`
const rules = (given: Partial<UpstreamRules>): UpstreamRules => ({ ...NO_RULES, ...given })

describe('upstream rules by name', () => {
  it.each([
    ['nothing is ruled', {}, { repository: 'library/alpine', tag: 'x' }, undefined],
    ['what is denied', { deny: ['library/alpine:3.*'] }, { repository: 'library/alpine', tag: '3.1' }, 'deny library/alpine:3.*'],
    ['another tag than the denied', { deny: ['library/alpine:3.*'] }, { repository: 'library/alpine', tag: '4' }, undefined],
    ['what is denied altogether, by digest', { deny: ['library/alpine'] }, { repository: 'library/alpine', digest: DIGEST }, 'deny library/alpine'],
    ['a blob of what is denied altogether', { deny: ['evil/**'] }, { repository: 'evil/x/y' }, 'deny evil/**'],
    ['what is allowed and denied', { allow: ['library/*'], deny: ['**:edge'] }, { repository: 'library/alpine', tag: 'edge' }, 'deny **:edge'],
    ['what is not allowed', { allow: ['library/*'] }, { repository: 'someone/tool', tag: 'x' }, 'allow library/*'],
    ['what is not allowed, by digest', { allow: ['library/*'] }, { repository: 'someone/tool', digest: DIGEST }, 'allow library/*'],
    ['a digest where some tags are allowed', { allow: ['library/alpine:3.*'] }, { repository: 'library/alpine', digest: DIGEST }, undefined],
    [
      'a tag that is not among the allowed',
      { allow: ['library/alpine:3.*'] },
      { repository: 'library/alpine', tag: 'edge' },
      'allow library/alpine:3.*',
    ],
  ])('%s', (_what, given, asked, rule) => {
    const verdict = judgeName(rules(given), asked)
    expect(verdict.allow ? undefined : verdict.rule).toBe(rule)
  })
})

describe('the cool-down', () => {
  const week = rules({ minimumAgeDays: 7 })
  const judge = (created: number | undefined, given = week) => judgeContent(given, { digest: DIGEST, created }, NOW)

  it('holds back what is younger, to the millisecond, and says how young it is', () => {
    expect(judge(NOW - 7 * DAY)).toEqual({ allow: true })
    expect(judge(NOW - 7 * DAY + 1)).toEqual({ allow: false, rule: 'minimum age of 7 days', reason: 'it was created 6 days ago' })
    expect(judge(NOW - 5)).toMatchObject({ reason: 'it was created less than a day ago' })
    expect(judge(NOW + 50 * DAY)).toMatchObject({ allow: false })
  })

  it('holds back what does not say its age', () => {
    expect(judge(undefined)).toMatchObject({ allow: false, reason: 'it does not say when it was created' })
  })

  it('lets a digest through that is named', () => {
    const exempted = { ...week, exempt: [DIGEST] }
    expect(judge(NOW, exempted)).toEqual({ allow: true })
    expect([looksInside(week, DIGEST), looksInside(exempted, DIGEST), looksInside(NO_RULES, DIGEST)]).toEqual([true, false, false])
  })
})
