import { z } from '@hono/zod-openapi'
import { showRetentionRule } from '../../policy/harbor-rules.ts'
import { checkRetentionRule, RETENTION_TEMPLATES, type RetentionTemplate } from '../../policy/retention.ts'
import type { NewRetentionPolicy, NumberedRule, RetentionExecution, RetentionTask, RetentionPolicy as Row } from '../../schema/retention.ts'
import { instant, wholeNumber } from './environment.ts'
import { ApiError, badField } from './errors.ts'
import { RETENTION_RULES_LIMIT } from './limits.ts'
import { refuseBadCron } from './schedules.ts'
import { readSelector, selectorList } from './selectors.ts'

const selectors = selectorList('RetentionSelector')

const Rule = z
  .object({
    id: z.number().int().optional(),
    priority: z.number().int().min(0).max(1_000_000).default(0),
    disabled: z.boolean().default(false),
    action: z.literal('retain').default('retain'),
    template: z.enum(RETENTION_TEMPLATES),
    params: z.record(z.string(), z.unknown()).nullish(),
    tag_selectors: selectors.min(1, 'names no tag; ** names them all'),
    scope_selectors: z.object({ repository: selectors.default([]) }).nullish(),
  })
  .openapi('RetentionRule')

export const Policy = z
  .object({
    id: z.number().int().optional(),
    algorithm: z.literal('or').default('or'),
    rules: z.array(Rule).max(RETENTION_RULES_LIMIT, `are ${RETENTION_RULES_LIMIT} at most`),
    trigger: z
      .object({
        kind: z.literal('Schedule').default('Schedule'),
        settings: z.object({ cron: z.string().max(128).optional() }).nullish(),
        references: z.record(z.string(), z.unknown()).nullish(),
      })
      .nullish(),
    scope: z.object({ level: z.literal('project').default('project'), ref: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER) }).optional(),
  })
  .openapi('RetentionPolicy')

export const Execution = z
  .object({
    id: z.number().int(),
    policy_id: z.number().int(),
    start_time: z.string(),
    end_time: z.string().optional(),
    status: z.string(),
    trigger: z.string(),
    dry_run: z.boolean(),
  })
  .openapi('RetentionExecution')

export const Task = z
  .object({
    id: z.number().int(),
    execution_id: z.number().int(),
    repository: z.string(),
    job_id: z.string(),
    status: z.string(),
    status_code: z.number().int(),
    status_revision: z.number().int(),
    start_time: z.string(),
    end_time: z.string().optional(),
    total: z.number().int(),
    retained: z.number().int(),
  })
  .openapi('RetentionExecutionTask')

const SelectorMetadata = z.object({ kind: z.string(), display_text: z.string(), decorations: z.array(z.string()) })
export const Metadata = z
  .object({
    templates: z.array(
      z.object({
        rule_template: z.string(),
        display_text: z.string(),
        action: z.string(),
        params: z.array(z.object({ type: z.string(), unit: z.string(), required: z.boolean() })),
      }),
    ),
    scope_selectors: z.array(SelectorMetadata),
    tag_selectors: z.array(SelectorMetadata),
  })
  .openapi('RetentionMetadata')

const TEMPLATES: Readonly<Record<RetentionTemplate, { readonly text: string; readonly unit?: 'COUNT' | 'DAYS' }>> = {
  always: { text: 'always' },
  latestPushedK: { text: 'the most recently pushed # artifacts', unit: 'COUNT' },
  latestPulledN: { text: 'the most recently pulled # artifacts', unit: 'COUNT' },
  nDaysSinceLastPush: { text: 'pushed within the last # days', unit: 'DAYS' },
  nDaysSinceLastPull: { text: 'pulled within the last # days', unit: 'DAYS' },
}

export const METADATA: z.infer<typeof Metadata> = {
  templates: RETENTION_TEMPLATES.map((template) => {
    const { text, unit } = TEMPLATES[template]
    return {
      rule_template: template,
      display_text: text,
      action: 'retain',
      params: unit === undefined ? [] : [{ type: 'int', unit, required: true }],
    }
  }),
  scope_selectors: [{ kind: 'doublestar', display_text: 'Repositories', decorations: ['repoMatches', 'repoExcludes'] }],
  tag_selectors: [{ kind: 'doublestar', display_text: 'Tags', decorations: ['matches', 'excludes'] }],
}

/** @throws ApiError BAD_REQUEST for what cannot be carried out, CONFLICT for a rule that stands there twice */
export function readPolicy({ rules, trigger }: z.infer<typeof Policy>, now: number): Omit<NewRetentionPolicy, 'projectId'> {
  const cron = trigger?.settings?.cron ?? ''
  if (cron !== '') refuseBadCron('trigger.settings.cron', cron, now)
  const read = rules.map(readRule)
  const first = new Map<string, number>()
  for (const [index, { id: _, ...rule }] of read.entries()) {
    const text = JSON.stringify(rule)
    const twin = first.get(text)
    if (twin !== undefined) throw new ApiError('CONFLICT', `rules.${index}: is rules.${twin} again; leave one of them out.`)
    first.set(text, index)
  }
  return { rules: read, cron: cron === '' ? null : cron }
}

function readRule({ priority, disabled, template, params, tag_selectors, scope_selectors }: z.infer<typeof Rule>, index: number): NumberedRule {
  const rule: NumberedRule = {
    id: index + 1,
    priority,
    disabled,
    template,
    count: template === 'always' ? 0 : countOf(template, params),
    repositories: (scope_selectors?.repository ?? []).map(readSelector),
    tags: tag_selectors.map(readSelector),
    untagged: tag_selectors.every(selectsUntagged),
  }
  try {
    checkRetentionRule(rule)
  } catch (error) {
    throw badField(`rules.${index}.pattern`, error instanceof Error ? error.message : 'cannot be read')
  }
  return rule
}

const COUNT_LIMIT = 1_000_000
const Count = wholeNumber('is a whole number').pipe(z.number().max(COUNT_LIMIT))

function countOf(template: RetentionTemplate, params: Readonly<Record<string, unknown>> | null | undefined): number {
  const read = Count.safeParse(params?.[template])
  if (!read.success) throw badField(`params.${template}`, `is a whole number up to ${COUNT_LIMIT}`)
  return read.data
}

/**
 * Whether a selector of tags selects what has none. Harbor writes `{"untagged":true}` as a text into it: of one that excludes, it means that those
 * are excluded, too. Without it they are selected, whichever it is.
 */
function selectsUntagged({ decoration, extras }: { readonly decoration: string; readonly extras?: string | undefined }): boolean {
  if (extras === undefined || extras === '') return true
  try {
    const said = (JSON.parse(extras) as { untagged?: unknown } | null)?.untagged === true
    return said !== (decoration === 'excludes')
  } catch {
    throw badField('extras', 'is JSON such as {"untagged":true}')
  }
}

export function showPolicy({ id, projectId, rules, cron }: Row): z.infer<typeof Policy> {
  return {
    id,
    algorithm: 'or',
    rules: rules.map((rule) => ({
      id: rule.id,
      priority: rule.priority,
      disabled: rule.disabled,
      action: 'retain',
      ...showRetentionRule(rule),
    })),
    trigger: { kind: 'Schedule', settings: { cron: cron ?? '' }, references: {} },
    scope: { level: 'project', ref: projectId },
  }
}

export function showExecution({ id, policyId, startedAt, endedAt, status, trigger, dryRun }: RetentionExecution): z.infer<typeof Execution> {
  return {
    id,
    policy_id: policyId,
    start_time: instant(startedAt),
    ...(endedAt !== null && { end_time: instant(endedAt) }),
    status,
    trigger,
    dry_run: dryRun,
  }
}

export function showTask({ id, executionId, repository, status, startedAt, endedAt, total, retained }: RetentionTask): z.infer<typeof Task> {
  return {
    id,
    execution_id: executionId,
    repository,
    job_id: String(executionId),
    status,
    status_code: status === 'InProgress' ? 1 : 3,
    status_revision: Math.floor(startedAt / 1000),
    start_time: instant(startedAt),
    ...(endedAt !== null && { end_time: instant(endedAt) }),
    total,
    retained,
  }
}
