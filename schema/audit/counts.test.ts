import fc from 'fast-check'
import { expect, it } from 'vitest'
import { TestClock } from '../../test/support/clock.ts'
import { seed, temporaryDatabase } from '../../test/support/database.ts'
import { appendChange } from '../changes.ts'
import type { Database } from '../database.ts'
import { purgeAudit } from './purge.ts'
import { listAudit } from './read.ts'

const ALL = { page: 1, pageSize: 1_000 }
const QUESTIONS = [
  { operation: { match: 'exact', value: 'create' } },
  { resource: { match: 'part', text: 'p:' } },
  { resource: { match: 'part', text: 'app:t1' } },
  { projectIds: [1] },
] as const

async function sameAsListed(db: Database): Promise<void> {
  for (const filter of QUESTIONS) {
    const { items, total } = await listAudit(db, filter, ALL)
    expect(total, JSON.stringify(filter)).toBe(items.length)
  }
}

it('entries are counted right, whatever was written and purged since the same was last asked', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.constant('asked'), fc.nat(3), fc.record({ before: fc.nat(20), events: fc.boolean() })), { maxLength: 12 }),
      async (steps) => {
        const clock = new TestClock(0)
        await using held = await temporaryDatabase({ clock })
        const { db } = held
        await seed(db)
        for (const step of steps) {
          clock.set(1_000)
          if (step === 'asked') await sameAsListed(db)
          else if (typeof step === 'object') {
            const events = step.events ? ['create_artifact'] : undefined
            for await (const _ of purgeAudit(db, { before: step.before * 1_000, events, dryRun: false, actor: 'user:1' }));
          } else
            for (let n = 0; n <= step; n++)
              await appendChange(db, { actor: 'user:1', kind: n % 2 ? 'tag.set' : 'tag.deleted', subject: `team/app:t${n}`, projectId: 1 })
        }
        await sameAsListed(db)
      },
    ),
    { numRuns: 40 },
  )
})
