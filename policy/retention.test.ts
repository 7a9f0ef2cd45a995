import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type RetentionCandidate, type RetentionRule, retained, rulesAbout } from './retention.ts'

const DAY = 86_400_000
const NOW = 100 * DAY
const any = [{ pattern: '**', excludes: false }]
const rule = (more: Partial<RetentionRule> = {}): RetentionRule => ({
  disabled: false,
  priority: 0,
  template: 'always',
  count: 0,
  repositories: any,
  tags: any,
  untagged: false,
  ...more,
})
const artifact = (digest: string, tags: readonly string[], pushed: number, pulled: number | null = null): RetentionCandidate => ({
  digest,
  tags,
  pushedAt: NOW - pushed * DAY,
  pulledAt: pulled === null ? null : NOW - pulled * DAY,
})
const when = { now: NOW, rest: async () => {} }
const digests = async (rules: readonly RetentionRule[], candidates: readonly RetentionCandidate[]) =>
  [...(await retained(rules, candidates, when)).keys()].map(({ digest }) => digest).sort()

describe('retention', () => {
  const images = [artifact('a', ['v1'], 9, 1), artifact('b', ['v2', 'latest'], 5, 30), artifact('c', ['dev-1'], 2), artifact('d', [], 1, 2)]

  it.each<[string, Partial<RetentionRule>, string[]]>([
    ['everything with a tag', {}, ['a', 'b', 'c']],
    ['everything', { untagged: true }, ['a', 'b', 'c', 'd']],
    ['the two pushed last', { template: 'latestPushedK', count: 2 }, ['b', 'c']],
    ['the one pulled last', { template: 'latestPulledN', count: 1 }, ['a']],
    ['the one pulled last, with or without a tag', { template: 'latestPulledN', count: 2, untagged: true }, ['a', 'd']],
    ['what was pushed in the last five days', { template: 'nDaysSinceLastPush', count: 5 }, ['b', 'c']],
    ['what was pulled in the last seven days', { template: 'nDaysSinceLastPull', count: 7 }, ['a']],
    ['all but development', { tags: [{ pattern: 'dev-*', excludes: true }] }, ['a', 'b']],
    ['an artifact one of whose tags is meant', { tags: [{ pattern: '{latest,production}', excludes: false }] }, ['b']],
    ['the last of the versions', { template: 'latestPushedK', count: 1, tags: [{ pattern: 'v*', excludes: false }] }, ['b']],
  ])('keeps %s', async (_, more, kept) => {
    expect(await digests([rule(more)], images)).toEqual(kept)
  })

  it('keeps what any rule keeps, and says which was the first', async () => {
    const [first, second] = [rule({ template: 'latestPushedK', count: 1 }), rule({ tags: [{ pattern: 'v1', excludes: false }] })]
    const kept = await retained([first, second], images, when)
    expect([...kept].map(([{ digest }, by]) => [digest, by === first ? 1 : 2])).toEqual([
      ['c', 1],
      ['a', 2],
    ])
  })

  it('speaks of the repositories that a rule names, and of none where it is switched off', () => {
    const rules = [rule({ repositories: [{ pattern: 'web/**', excludes: false }] }), rule({ disabled: true })]
    expect([rulesAbout(rules, 'web/app').length, rulesAbout(rules, 'db').length]).toEqual([1, 0])
  })

  it('never keeps less when a rule is added or a count grows', async () => {
    const candidates = fc
      .array(fc.record({ pushed: fc.nat(50), pulled: fc.option(fc.nat(50)), tag: fc.option(fc.constantFrom('v1', 'v2', 'dev-1')) }), {
        maxLength: 20,
      })
      .map((list) => list.map(({ pushed, pulled, tag }, i) => artifact(String(i), tag === null ? [] : [tag], pushed, pulled)))
    const rules = fc.record({
      template: fc.constantFrom(
        'always' as const,
        'latestPushedK' as const,
        'latestPulledN' as const,
        'nDaysSinceLastPush' as const,
        'nDaysSinceLastPull' as const,
      ),
      count: fc.nat(20),
      untagged: fc.boolean(),
      tags: fc.constantFrom(any, [{ pattern: 'v*', excludes: false }], [{ pattern: 'v*', excludes: true }]),
    })
    await fc.assert(
      fc.asyncProperty(candidates, rules, rules, async (list, one, other) => {
        const alone = await digests([rule(one)], list)
        expect(await digests([rule(one), rule(other)], list)).toEqual([...new Set([...alone, ...(await digests([rule(other)], list))])].sort())
        expect(await digests([rule({ ...one, count: one.count + 1 })], list)).toEqual(expect.arrayContaining(alone))
      }),
    )
  })
})
