import { doublestar } from './doublestar.ts'

/** A pattern, and whether what it matches is meant or everything else. Harbor calls it a selector. */
export interface Selector {
  readonly pattern: string
  readonly excludes: boolean
}

/** Which tags of a project a rule is about. */
export interface TagRule {
  /** On names without their project. All must agree. */
  readonly repositories: readonly Selector[]
  readonly tags: readonly Selector[]
}

/** @throws SyntaxError for a pattern that is none */
export function checkTagRule({ repositories, tags }: TagRule): void {
  for (const { pattern } of [...repositories, ...tags]) doublestar(pattern)
}

/** Whether a rule is about this tag. `repository`: its name without the project. */
export function isAbout(rule: TagRule, repository: string, tag: string): boolean {
  return agree(rule.repositories, repository) && agree(rule.tags, tag)
}

/** Whether all of them let a text through. */
export function agree(selectors: readonly Selector[], text: string): boolean {
  return selectors.every(({ pattern, excludes }) => doublestar(pattern)(text) !== excludes)
}
