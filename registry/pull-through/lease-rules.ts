import type { Tag } from '../spec/names.ts'

/** Milliseconds, each counted on from the one before: see docs/decisions/0011. */
export interface LeaseTimes {
  /** For so long after it was fetched, the source need not be asked. */
  readonly freshMs: number
  /** For so long after it was fresh, a client does not wait for the source. */
  readonly behindMs: number
  /** For so long after it was fetched, it is served while the source fails. */
  readonly staleMs: number
}

export interface LeaseRule {
  /** A tag, in which `*` stands for anything. */
  readonly pattern: string
  readonly times: LeaseTimes
}

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Tags that are moved, or may be. */
export const LEASE_TIMES: LeaseTimes = { freshMs: MINUTE, behindMs: 10 * MINUTE, staleMs: 7 * DAY }
/** Tags that name a full version, and hardly ever move. */
const VERSION_TIMES: LeaseTimes = { freshMs: 6 * HOUR, behindMs: 7 * DAY, staleMs: 30 * DAY }
/** Tags under which signatures and the like of a digest are added. */
const ATTACHED_TIMES: LeaseTimes = { freshMs: MINUTE, behindMs: MINUTE, staleMs: DAY }

const VERSION = /^v?\d+\.\d+\.\d/
const ATTACHED = /^sha(?:256|512)-[0-9a-f]{32,}/

const RULES = 50
const LONGEST_MS = 365 * DAY
const BEHIND_FACTOR = 10
const UNITS: Readonly<Record<string, number>> = { s: SECOND, m: MINUTE, h: HOUR, d: DAY }

/**
 * Reads `nightly-*=1m, v*=12h/7d/30d, *=5m`: a pattern, and how long a tag is fresh, then renewed behind the client's back, and served at most
 * while the source fails. Left out: ten times fresh, and a week. undefined: that is not what it says.
 */
export function parseLeaseRules(text: string): readonly LeaseRule[] | undefined {
  if (text.trim() === '') return []
  const rules = text.split(',').map(parseRule)
  return rules.length <= RULES && rules.every((rule) => rule !== undefined) ? rules : undefined
}

/** The lease times of a tag: of the first rule that matches it, else what its looks suggest. */
export function leaseTimesOf(rules: readonly LeaseRule[], tag: Tag): LeaseTimes {
  const rule = rules.find(({ pattern }) => matches(pattern, tag))
  if (rule) return rule.times
  if (ATTACHED.test(tag)) return ATTACHED_TIMES
  return VERSION.test(tag) ? VERSION_TIMES : LEASE_TIMES
}

function parseRule(text: string): LeaseRule | undefined {
  const [pattern = '', durations = '', ...more] = text.split('=').map((part) => part.trim())
  if (!/^[A-Za-z0-9_.*-]{1,128}$/.test(pattern) || more.length > 0) return undefined
  const [freshMs, behindMs, staleMs, ...others] = durations.split('/').map(parseDuration)
  if (freshMs === undefined || Number.isNaN(freshMs + (behindMs ?? 0) + (staleMs ?? 0)) || others.length > 0) return undefined
  return { pattern, times: { freshMs, behindMs: behindMs ?? freshMs * BEHIND_FACTOR, staleMs: staleMs ?? Math.max(freshMs, LEASE_TIMES.staleMs) } }
}

/** NaN: it is none. */
function parseDuration(text: string): number {
  const [, count, unit = ''] = text.match(/^(\d{1,6})([smhd])$/) ?? []
  const ms = Number(count) * (UNITS[unit] ?? Number.NaN)
  return ms <= LONGEST_MS ? ms : Number.NaN
}

/** Takes the first place where each piece fits, which is enough: no star can make it look twice. */
function matches(pattern: string, tag: string): boolean {
  const [first = '', ...rest] = pattern.split('*')
  const last = rest.pop()
  if (last === undefined) return tag === first
  if (!tag.startsWith(first) || !tag.endsWith(last) || tag.length < first.length + last.length) return false
  const end = tag.length - last.length
  let at = first.length
  for (const piece of rest) {
    const found = tag.indexOf(piece, at)
    if (found < 0 || found + piece.length > end) return false
    at = found + piece.length
  }
  return true
}
