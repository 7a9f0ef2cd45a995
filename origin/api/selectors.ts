import { z } from '@hono/zod-openapi'
import type { Selector } from '../../policy/tag-rules.ts'
import { SELECTORS_LIMIT } from './limits.ts'

// The selectors of rules for tags, as immutability and retention write them.

/** `component`: what the contract calls it there. */
export function selectorList(component: string) {
  const selector = z
    .object({
      kind: z.literal('doublestar').default('doublestar'),
      decoration: z.enum(['matches', 'excludes', 'repoMatches', 'repoExcludes']),
      pattern: z.string().min(1),
      extras: z.string().max(1_000).optional(),
    })
    .openapi(component)
  return z.array(selector).max(SELECTORS_LIMIT)
}

type Given = z.infer<ReturnType<typeof selectorList>>[number]

export const readSelector = ({ pattern, decoration }: Given): Selector => ({ pattern, excludes: decoration.toLowerCase().endsWith('excludes') })
