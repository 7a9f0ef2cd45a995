import type { Settled } from '../../registry/copy/settle.ts'
import type { Digest } from '../../registry/spec/digests.ts'
import { VIA_LIMIT } from '../../registry/versions/version.ts'
import type { ReplicationPolicy } from '../../schema/replication.ts'

/** What such a rule sends gives way to what is newer at the other site. What a person starts by hand is that person's word. */
export function actsByItself({ trigger }: Pick<ReplicationPolicy, 'trigger'>): boolean {
  return trigger !== 'manual'
}

/** For a task's log, behind a tag that a rule without `override` finds to be something else. */
export function stays(there: Digest): string {
  return `stays ${there}: it is another artifact there, and the rule keeps what is there`
}

/** For a task's log, behind the tag. */
export function said(settled: Settled): string {
  switch (settled.outcome) {
    case 'set':
      return 'is set'
    case 'same':
      return 'is the same there already'
    case 'deleted':
      return 'is deleted'
    case 'kept':
      return stays(settled.there)
    case 'newer there':
      return `stays: what is there is newer (${settled.version})`
    case 'came by this rule':
      return 'is not set: this rule has brought it here already, and would give it one name after another'
    case 'came by too many rules':
      return `is not set: ${VIA_LIMIT} rules have given it another name already`
    case 'deleted meanwhile':
      return 'is left alone: the source has deleted it since'
    case 'set meanwhile':
      return 'stays: the source has it again'
    case 'forgotten':
      return 'is left alone: it was deleted too long ago for anybody to know what came later'
  }
}
