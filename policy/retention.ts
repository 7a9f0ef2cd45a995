import { doublestar } from './doublestar.ts'
import { agree, type Selector } from './tag-rules.ts'

/** How a rule chooses among the artifacts that it is about, by Harbor's names. */
export const RETENTION_TEMPLATES = ['always', 'latestPushedK', 'latestPulledN', 'nDaysSinceLastPush', 'nDaysSinceLastPull'] as const
export type RetentionTemplate = (typeof RETENTION_TEMPLATES)[number]

/** What a project keeps. What none of its rules keeps goes; a repository that no rule is about is left alone. */
export interface RetentionRule {
  readonly disabled: boolean
  readonly priority: number
  readonly template: RetentionTemplate
  /** Artifacts or days; nothing for `always`. */
  readonly count: number
  /** On names without their project. */
  readonly repositories: readonly Selector[]
  readonly tags: readonly Selector[]
  /** Whether it is about artifacts without a tag, too. */
  readonly untagged: boolean
}

/** Times in milliseconds since the epoch. */
export interface RetentionCandidate {
  readonly digest: string
  readonly tags: readonly string[]
  readonly pushedAt: number
  readonly pulledAt: number | null
}

const DAY = 86_400_000

/** @throws SyntaxError for a pattern that is none */
export function checkRetentionRule({ repositories, tags }: RetentionRule): void {
  for (const { pattern } of [...repositories, ...tags]) doublestar(pattern)
}

/** The rules that speak of a repository (its name without the project), with their places in the list. */
export function rulesAbout<R extends RetentionRule>(rules: readonly R[], repository: string): readonly R[] {
  return rules.filter((rule) => !rule.disabled && agree(rule.repositories, repository))
}

/** Candidates that are looked at between two pauses: a pattern may take half a millisecond for a tag. */
const AT_ONCE = 500

/**
 * By which rule each candidate of a repository stays: the first that keeps it. A candidate that is not in the answer goes. `rules`: those about
 * the repository. An artifact has all its tags for its name: one that a rule is about is enough. `rest` lets others go on meanwhile.
 */
export async function retained<R extends RetentionRule, C extends RetentionCandidate>(
  rules: readonly R[],
  candidates: readonly C[],
  { now, rest }: { readonly now: number; readonly rest: () => Promise<void> },
): Promise<ReadonlyMap<C, R>> {
  const kept = new Map<C, R>()
  for (const rule of rules) {
    const tags = rule.tags.map(({ pattern, excludes }) => ({ matches: doublestar(pattern), excludes }))
    const isAbout = (candidate: C) =>
      candidate.tags.length === 0 ? rule.untagged : candidate.tags.some((tag) => tags.every(({ matches, excludes }) => matches(tag) !== excludes))
    const about: C[] = []
    for (let from = 0; from < candidates.length; from += AT_ONCE) {
      about.push(...candidates.slice(from, from + AT_ONCE).filter(isAbout))
      await rest()
    }
    for (const candidate of chosen(rule, about, now)) if (!kept.has(candidate)) kept.set(candidate, rule)
  }
  return kept
}

function chosen<C extends RetentionCandidate>({ template, count }: RetentionRule, candidates: readonly C[], now: number): readonly C[] {
  switch (template) {
    case 'always':
      return candidates
    case 'latestPushedK':
      return candidates.toSorted((a, b) => b.pushedAt - a.pushedAt).slice(0, count)
    case 'latestPulledN':
      return candidates.toSorted((a, b) => (b.pulledAt ?? 0) - (a.pulledAt ?? 0)).slice(0, count)
    case 'nDaysSinceLastPush':
      return candidates.filter(({ pushedAt }) => pushedAt >= now - count * DAY)
    case 'nDaysSinceLastPull':
      return candidates.filter(({ pulledAt }) => pulledAt !== null && pulledAt >= now - count * DAY)
  }
}
