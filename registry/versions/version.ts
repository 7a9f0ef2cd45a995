// When and where a tag was set, as sites tell each other (docs/decisions/0049-both-ways.md). Pure.

import type { Digest } from '../spec/digests.ts'

/** One write at one site, by its hybrid logical clock: `milliseconds-counter-site` in hex of fixed width, so that its text sorts as it counts. */
export type Dot = string & { readonly [dot]: true }
declare const dot: unique symbol

/** A site's own name in its dots: 16 hex digits. */
export type SiteId = string & { readonly [siteId]: true }
declare const siteId: unique symbol

export interface TagVersion {
  readonly dot: Dot
  /** The last write of each other site that whoever set this had seen, in order. */
  readonly context: readonly Dot[]
  /** The rules that have carried it here under another name than they found it by, in order. Says nothing about which version wins. */
  readonly via?: readonly RuleId[]
}

/** A replication rule: the site that it is at, and its number there. */
export type RuleId = string & { readonly [ruleId]: true }
declare const ruleId: unique symbol

/** What a tag is since a version; without a digest it is deleted. */
export interface TagState {
  readonly version: TagVersion
  readonly digest: Digest | undefined
}

/** What a site holds of a tag. */
export interface HeldTag extends TagState {
  /** What else has been here and was passed over; and, greater than the version, what another site was seen to have that has not come here. */
  readonly seen: readonly Dot[]
}

/** A version so much further ahead than our clock is not taken, in milliseconds: clocks differ by hours, rarely by a day. */
export const AHEAD_LIMIT_MS = 24 * 3_600_000
/** Sites in a context. What is dropped beyond (the oldest) can make a conflict be told that is none, and never another winner. */
export const CONTEXT_LIMIT = 64

/** Through more rules that rename it a tag does not go. */
export const VIA_LIMIT = 16

const RULE = /^[0-9a-f]{16}\.[1-9]\d{0,14}$/
const DOT = /^[0-9a-f]{12}-[0-9a-f]{4}-[0-9a-f]{16}$/
const SITE = /^[0-9a-f]{16}$/
const COUNTER_LIMIT = 0xffff

export const isDot = (text: string): text is Dot => DOT.test(text)
export const isSiteId = (text: string): text is SiteId => SITE.test(text)

export const ruleIdOf = (site: SiteId, rule: number): RuleId => `${site}.${rule}` as RuleId

const siteOf = (dot: Dot) => dot.slice(18)
/** Milliseconds since the epoch. */
export const timeOf = (dot: Dot): number => Number.parseInt(dot.slice(0, 12), 16)
const counterOf = (dot: Dot) => Number.parseInt(dot.slice(13, 17), 16)

function dotOf(time: number, counter: number, site: SiteId): Dot {
  return `${time.toString(16).padStart(12, '0')}-${counter.toString(16).padStart(4, '0')}-${site}` as Dot
}

/**
 * The version of a write at this site, now: after everything that this site knows of the tag. A clock that was far ahead and was put right
 * leaves dots that nobody else has taken: those do not hold up what comes after.
 */
export function nextVersion(held: HeldTag | undefined, now: number, site: SiteId): TagVersion {
  const known = held === undefined ? [] : dotsOf(held).filter((each) => each <= held.version.dot)
  const newest = known.reduce<Dot | undefined>((most, each) => (most === undefined || each > most ? each : most), undefined)
  const context = merge(known).filter((each) => siteOf(each) !== site)
  if (newest === undefined || timeOf(newest) < now || timeOf(newest) > now + AHEAD_LIMIT_MS) return { dot: dotOf(now, 0, site), context }
  const counter = counterOf(newest) + 1
  return { dot: counter > COUNTER_LIMIT ? dotOf(timeOf(newest) + 1, 0, site) : dotOf(timeOf(newest), counter, site), context }
}

/** Whether whoever set this version had seen that write. */
export function covers({ dot, context }: TagVersion, other: Dot): boolean {
  return siteOf(dot) === siteOf(other) ? dot >= other : context.some((each) => siteOf(each) === siteOf(other) && each >= other)
}

/** Which of two states of a tag stands. Sites agree on it, in whatever order they meet them. */
export function compare(one: TagState, other: TagState): 'same' | 'newer' | 'older' {
  if (one.version.dot !== other.version.dot) return one.version.dot > other.version.dot ? 'newer' : 'older'
  if (one.digest === other.digest) return 'same'
  return (one.digest ?? '') > (other.digest ?? '') ? 'newer' : 'older'
}

/** Whether neither was set in the knowledge of the other, and they differ. */
export function inConflict(one: TagState, other: TagState): boolean {
  if (one.digest === other.digest) return false
  return one.version.dot === other.version.dot || !(covers(one.version, other.version.dot) || covers(other.version, one.version.dot))
}

/** Whether this write, or a later one of its site, has been here. */
export function hasSeen({ version, seen }: HeldTag, other: Dot): boolean {
  return version.dot !== other && (covers(version, other) || seen.some((each) => siteOf(each) === siteOf(other) && each >= other))
}

/** What has been seen besides what `version` says itself, when all of `dots` have. */
export function besides(version: TagVersion, dots: readonly Dot[]): readonly Dot[] {
  return merge(dots).filter((each) => !covers(version, each))
}

/** Every dot that a held tag speaks of. */
export const dotsOf = ({ version, seen }: HeldTag): readonly Dot[] => [version.dot, ...version.context, ...seen]

/** The last dot of each site, in order; of too many sites the latest. */
function merge(dots: readonly Dot[]): readonly Dot[] {
  const last = new Map<string, Dot>()
  for (const each of dots) {
    const site = siteOf(each)
    const known = last.get(site)
    if (known === undefined || each > known) last.set(site, each)
  }
  return [...last.values()].sort().slice(-CONTEXT_LIMIT)
}

/** For a column or a header; empty for none. */
export const dotsText = (dots: readonly Dot[]): string => dots.join(',')

/** What `dotsText` wrote; undefined: it is something else, or more than `limit`. */
export function parseDots(text: string, limit = Number.POSITIVE_INFINITY): readonly Dot[] | undefined {
  if (text === '') return []
  const dots = text.split(',').map((part) => part.trim())
  return dots.length <= limit && dots.every(isDot) ? merge(dots) : undefined
}

/** For a column or a header; empty for none. */
export const viaText = (via: readonly RuleId[] = []): string => via.join(',')

/** What `viaText` wrote, as a part of a version; undefined: it is something else. */
export function parseVia(text: string): Pick<TagVersion, 'via'> | undefined {
  if (text === '') return {}
  const via = text.split(',').map((part) => part.trim())
  return via.length <= VIA_LIMIT && via.every((each): each is RuleId => RULE.test(each)) ? { via } : undefined
}
