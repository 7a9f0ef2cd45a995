// What a proxy cache lets through of its upstream. Pure: the same at the origin and at edges.

import { names, namesSomeOf } from './patterns.ts'

/** The rules of one proxy-cache project. Patterns are `repository[:tag]` by the upstream's names: `library/*`, `library/alpine:3.*`, `**:latest`. */
export interface UpstreamRules {
  /** When there is any, only what one of them names is served. */
  readonly allow: readonly string[]
  /** What one of these names is not served, even if it is allowed. */
  readonly deny: readonly string[]
  /** What was created less than so many days ago is held back; 0: nothing is. */
  readonly minimumAgeDays: number
  /** Digests that are served however young they are. */
  readonly exempt: readonly string[]
}

export const NO_RULES: UpstreamRules = { allow: [], deny: [], minimumAgeDays: 0, exempt: [] }

/** What is asked for, by the upstream's name of the repository. Neither tag nor digest: a blob, or the list of tags. */
export interface UpstreamName {
  readonly repository: string
  readonly tag?: string | undefined
  readonly digest?: string | undefined
}

/** What the artifact itself says. */
export interface UpstreamContent {
  readonly digest: string
  /** Milliseconds since the epoch; undefined: it does not say. */
  readonly created: number | undefined
}

export type Verdict = { readonly allow: true } | { readonly allow: false; readonly rule: string; readonly reason: string }

type Gate<T> = (rules: UpstreamRules, asked: T, now: number) => Verdict

const ALLOW: Verdict = { allow: true }
const DAY_MS = 86_400_000

/** Gates that need no more than the name. */
const NAME_GATES: readonly Gate<UpstreamName>[] = [notDenied, allowed]

/** Gates that look into the artifact before it is first served. Signatures and scans are further ones, with further facts in UpstreamContent. */
const CONTENT_GATES: readonly Gate<UpstreamContent>[] = [oldEnough]

/** Whether something of this name may be asked of the upstream. */
export function judgeName(rules: UpstreamRules, name: UpstreamName): Verdict {
  return first(NAME_GATES, rules, name, 0)
}

/** Whether `judgeContent` needs to be asked at all. */
export function looksInside(rules: UpstreamRules, digest: string): boolean {
  return rules.minimumAgeDays > 0 && !rules.exempt.includes(digest)
}

/** Whether this artifact may be served. `now` is milliseconds since the epoch. */
export function judgeContent(rules: UpstreamRules, content: UpstreamContent, now: number): Verdict {
  return first(CONTENT_GATES, rules, content, now)
}

function first<T>(gates: readonly Gate<T>[], rules: UpstreamRules, asked: T, now: number): Verdict {
  for (const gate of gates) {
    const verdict = gate(rules, asked, now)
    if (!verdict.allow) return verdict
  }
  return ALLOW
}

function notDenied({ deny }: UpstreamRules, { repository, tag }: UpstreamName): Verdict {
  const pattern = deny.find((each) => names(each, repository, tag))
  return pattern === undefined ? ALLOW : refuse(`deny ${pattern}`, 'it is denied')
}

/** By digest, which no pattern names, what is allowed under some tag is allowed. */
function allowed({ allow }: UpstreamRules, { repository, tag }: UpstreamName): Verdict {
  if (allow.length === 0) return ALLOW
  const found = allow.some((each) => (tag === undefined ? namesSomeOf(each, repository) : names(each, repository, tag)))
  return found ? ALLOW : refuse(`allow ${allow.join(', ')}`, 'it is not among what is allowed')
}

function oldEnough(rules: UpstreamRules, { digest, created }: UpstreamContent, now: number): Verdict {
  const { minimumAgeDays } = rules
  if (!looksInside(rules, digest)) return ALLOW
  const rule = `minimum age of ${minimumAgeDays} ${minimumAgeDays === 1 ? 'day' : 'days'}`
  if (created === undefined) return refuse(rule, 'it does not say when it was created')
  const age = now - created
  if (age >= minimumAgeDays * DAY_MS) return ALLOW
  return refuse(rule, `it was created ${age < DAY_MS ? 'less than a day' : `${Math.floor(age / DAY_MS)} days`} ago`)
}

function refuse(rule: string, reason: string): Verdict {
  return { allow: false, rule, reason }
}
