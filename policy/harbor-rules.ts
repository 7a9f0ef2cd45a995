import type { RetentionRule } from './retention.ts'
import type { Selector } from './tag-rules.ts'

// Rules for tags as Harbor writes them, in its API and in what it tells.

export interface HarborSelector {
  readonly kind: 'doublestar'
  readonly decoration: 'matches' | 'excludes' | 'repoMatches' | 'repoExcludes'
  readonly pattern: string
  readonly extras: string
}

export const showRepositorySelector = ({ pattern, excludes }: Selector): HarborSelector => ({
  kind: 'doublestar',
  decoration: excludes ? 'repoExcludes' : 'repoMatches',
  pattern,
  extras: '',
})

export const showTagSelector = ({ pattern, excludes }: Selector, extras = ''): HarborSelector => ({
  kind: 'doublestar',
  decoration: excludes ? 'excludes' : 'matches',
  pattern,
  extras,
})

/** What a rule keeps, and of what. */
export const showRetentionRule = ({ template, count, tags, untagged, repositories }: RetentionRule) => ({
  template,
  params: template === 'always' ? {} : { [template]: count },
  tag_selectors: tags.map((selector) => showTagSelector(selector, JSON.stringify({ untagged: untagged !== selector.excludes }))),
  scope_selectors: { repository: repositories.map(showRepositorySelector) },
})
