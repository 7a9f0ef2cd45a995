import type { RetentionRule } from '../../policy/retention.ts'
import type { Outcome } from '../../schema/release-artifacts.ts'
import type { Candidate, NumberedRule } from '../../schema/retention.ts'

const UNTAGGED = '(no tag)'

const FATES: Readonly<Record<Outcome | 'gone', string>> = {
  deleted: 'deleted',
  untagged: 'untagged: an index needs the artifact',
  changed: 'kept: its tags have changed since',
  immutable: 'kept: a tag of it is immutable',
  gone: 'gone already',
}

const FORESEEN: Readonly<Partial<typeof FATES>> = { deleted: 'would be deleted', untagged: 'would be untagged: an index needs the artifact' }

/** A line for each tag: what becomes of it, and by which rule or why. */
export function retentionLines({ digest, tags }: Candidate, rule: NumberedRule | undefined, outcome: Outcome | undefined, dryRun: boolean): string {
  const fate = outcome ?? 'gone'
  const verdict = rule === undefined ? ((dryRun ? FORESEEN[fate] : undefined) ?? FATES[fate]) : `kept by rule ${rule.id} (${textOf(rule)})`
  return (tags.length === 0 ? [UNTAGGED] : tags).map((tag) => `${tag} ${digest} ${verdict}\n`).join('')
}

/** What such lines say was deleted, as it is called behind its repository: `:v1`, or `@sha256:…` without a tag. */
export function* deletedIn(log: string): Generator<string> {
  for (const line of log.split('\n')) {
    const [, tag, digest] = /^(.+) (\S+) deleted$/.exec(line) ?? []
    if (tag !== undefined) yield tag === UNTAGGED ? `@${digest}` : `:${tag}`
  }
}

function textOf({ template, count }: RetentionRule): string {
  return template === 'always' ? template : `${template} ${count}`
}
