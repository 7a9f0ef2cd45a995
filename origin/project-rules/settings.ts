import { z } from 'zod'
import type { ProjectGrace, WarmingRules } from '../../mesh/documents.ts'
import { isPattern, PATTERNS_LIMIT } from '../../policy/patterns.ts'
import type { UpstreamRules } from '../../policy/upstream-rules.ts'
import { parseLeaseRules } from '../../registry/pull-through/lease-rules.ts'
import { isDigest } from '../../registry/spec/digests.ts'
import type { Project } from '../../schema/projects.ts'

// What Atoll knows of a project and Harbor does not. It is kept beside Harbor's settings, under names that Harbor's API never shows.

const patterns = z.array(z.string().refine(isPattern, 'is a pattern like library/*, team/**:v1.* or **:latest')).max(PATTERNS_LIMIT).default([])

const upstreamRules = z.strictObject({
  allow: patterns,
  deny: patterns,
  minimum_age_days: z.number().int().min(0).max(3650).default(0),
  exempt: z.array(z.string().refine(isDigest, 'is a digest like sha256:…')).max(1000).default([]),
})

/** The most that an edge's own grace can be. */
const LONGEST_GRACE_S = 30 * 86_400

const HOST = /^(?=.{1,255}$)[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?$/

const mirror = z.strictObject({
  enabled: z.boolean().default(true),
  hosts: z.array(z.string().regex(HOST, 'is a host like docker.io or registry.example.com:5000')).max(20).default([]),
})

const warming = z.strictObject({
  patterns,
  edges: z.array(z.string().max(64)).max(1000).default([]),
  platforms: z
    .array(z.string().regex(/^[a-z0-9]+\/[a-z0-9]+(?:\/[a-z0-9.]+)?$/, 'is a platform like linux/amd64'))
    .max(20)
    .default([]),
})

const tagLeases = z.strictObject({
  rules: z
    .string()
    .max(4096)
    .refine(
      (text) => parseLeaseRules(text) !== undefined,
      'is a list of tag patterns with how long they are fresh, like nightly-*=1m, v*=12h/7d/30d',
    ),
})

const grace = z.strictObject({
  seconds: z.number().int().min(0).max(LONGEST_GRACE_S).nullable().default(null),
  public_afterwards: z.boolean().default(false),
})

/** Whether a push is answered only when the standby of this site has it, too. */
const synchronous = z.strictObject({ enabled: z.boolean().default(true) })

/** By the last segment of their path in the API. */
export const PROJECT_RULES = {
  'upstream-rules': { schema: upstreamRules, setting: 'atoll_upstream_rules', proxyOnly: true },
  mirror: { schema: mirror, setting: 'atoll_mirror', proxyOnly: true },
  'tag-leases': { schema: tagLeases, setting: 'atoll_tag_leases', proxyOnly: true },
  warming: { schema: warming, setting: 'atoll_warming', proxyOnly: false },
  grace: { schema: grace, setting: 'atoll_grace', proxyOnly: false },
  synchronous: { schema: synchronous, setting: 'atoll_synchronous', proxyOnly: false },
} as const

export type RulesName = keyof typeof PROJECT_RULES

export function isRulesName(name: string): name is RulesName {
  return Object.hasOwn(PROJECT_RULES, name)
}

/** What is set, with its defaults; undefined: nothing is. */
export function rulesIn<N extends RulesName>(
  { metadata }: Pick<Project, 'metadata'>,
  name: N,
): z.infer<(typeof PROJECT_RULES)[N]['schema']> | undefined {
  const { schema, setting } = PROJECT_RULES[name]
  const text = metadata[setting]
  return text === undefined ? undefined : (schema.parse(JSON.parse(text)) as z.infer<(typeof PROJECT_RULES)[N]['schema']>)
}

/** As decisions take them. */
export function upstreamRulesOf(project: Pick<Project, 'metadata'>): UpstreamRules | undefined {
  const set = rulesIn(project, 'upstream-rules')
  return set && { allow: set.allow, deny: set.deny, minimumAgeDays: set.minimum_age_days, exempt: set.exempt }
}

export function warmingRulesOf(project: Pick<Project, 'metadata'>): WarmingRules | undefined {
  return rulesIn(project, 'warming')
}

/** How long edges believe the tags of a proxy cache, as an administrator wrote it. */
export function tagLeasesOf(project: Pick<Project, 'metadata'>): string | undefined {
  return rulesIn(project, 'tag-leases')?.rules
}

export function isSynchronous(project: Pick<Project, 'metadata'>): boolean {
  return rulesIn(project, 'synchronous')?.enabled ?? false
}

/** As edges take it. */
export function graceOf(project: Pick<Project, 'metadata'>): ProjectGrace | undefined {
  const set = rulesIn(project, 'grace')
  return set && { ...(set.seconds !== null && { ms: set.seconds * 1000 }), publicAfterwards: set.public_afterwards }
}
