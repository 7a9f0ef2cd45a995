import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseDigest } from '../../registry/spec/digests.ts'
import { parseRepositoryName, parseTag } from '../../registry/spec/names.ts'
import { TestClock } from '../../test/support/clock.ts'
import { seed, temporaryDatabase } from '../../test/support/database.ts'
import { appendChange, tell } from '../changes.ts'
import { type Database, openDatabase } from '../database.ts'
import { recordPulls } from '../pulls.ts'
import { createUser } from '../users.ts'
import { AUDIT_EVENT_TYPES } from './events.ts'
import { purgeAudit } from './purge.ts'
import { listAudit, readAudit } from './read.ts'
import { type AuditVerification, verifyAudit } from './verify.ts'

const digest = parseDigest(`sha256:${'a'.repeat(64)}`)
const page = { page: 1, pageSize: 100 }
const change = (n: number) => ({ actor: 'user:1', kind: n % 2 ? ('tag.set' as const) : ('tag.deleted' as const), subject: `team/app:t${n}` })

async function verified(db: Database, options?: Parameters<typeof verifyAudit>[1]): Promise<AuditVerification> {
  let last: AuditVerification | undefined
  for await (const step of verifyAudit(db, options)) last = step
  if (last === undefined) throw new Error('a verification says at least once how it stands')
  return last
}

async function purged(db: Database, wish: Parameters<typeof purgeAudit>[1]): Promise<number> {
  let gone = 0
  for await (const rows of purgeAudit(db, wish)) gone = rows
  return gone
}

describe('the audit log', () => {
  it('holds each change once, in order, with names that people know', async () => {
    await using held = await temporaryDatabase()
    const { db } = held
    await seed(db)
    const before = (await listAudit(db, {}, page)).total
    await appendChange(db, { actor: 'user:1', kind: 'member.created', subject: 'user:1', projectId: 1, detail: { role: 1 } })
    await expect(db.write(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
    const { items, total } = await listAudit(db, {}, page)
    expect(total).toBe(before + 1)
    expect(items[0]).toMatchObject({
      username: 'owner-of-team',
      operation: 'create',
      resourceType: 'member',
      resource: 'owner-of-team',
      detail: '{"role":1}',
    })
    expect(await verified(db)).toMatchObject({ faults: [], rows: total })
  })

  it('holds each pull, and of very many alike the number', async () => {
    await using held = await temporaryDatabase()
    const { db } = held
    await seed(db)
    const pull = { subject: 'user:1', repository: parseRepositoryName('team/app'), digest, tag: parseTag('v1'), first: 1_000, last: 3_000 }
    await recordPulls(db, [{ ...pull, count: 3 }])
    const { items } = await listAudit(db, { operation: { match: 'exact', value: 'pull' } }, page)
    expect(items.map(({ time, count, resource }) => ({ time, count, resource }))).toEqual(
      [3_000, 2_000, 1_000].map((time) => ({ time, count: 1, resource: 'team/app:v1' })),
    )
    await recordPulls(db, [{ ...pull, count: 5_000 }])
    const rows = await readAudit(db, 0, 10_000, { operation: { match: 'exact', value: 'pull' } })
    expect(rows.reduce((sum, { count }) => sum + count, 0)).toBe(5_003)
    expect(await verified(db)).toMatchObject({ faults: [] })
  })

  it('shows every edit and every hole, wherever it is', async () => {
    const columns = [
      'time = time + 1',
      "actor = 'user:9'",
      "username = 'eve'",
      "operation = 'x'",
      "resource = 'y'",
      'count = 7',
      "hash = 'z'",
      'purged = 1',
      "username = '', resource = 'forged', purged = 1",
    ]
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 12 }), fc.constantFrom(...columns, 'delete', 'cut'), async (id, edit) => {
        await using held = await temporaryDatabase()
        const { db } = held
        for (let n = 0; n < 12; n++) await appendChange(db, change(n))
        const { head } = await verified(db)
        const statement =
          edit === 'delete'
            ? `DELETE FROM audit_log WHERE id = ${id}`
            : edit === 'cut'
              ? `DELETE FROM audit_log WHERE id >= ${id}`
              : `UPDATE audit_log SET ${edit} WHERE id = ${id}`
        await db.write(({ sql }) => sql.run(statement))
        expect((await verified(db)).faults.length).toBeGreaterThan(0)
        // What is written afterwards hides nothing.
        await appendChange(db, change(12))
        expect((await verified(db)).faults.length).toBeGreaterThan(0)
        // Also where the database was made to forget what it had given.
        await db.write(({ sql }) => sql.run("UPDATE sqlite_sequence SET seq = (SELECT coalesce(max(id), 0) FROM audit_log) WHERE name = 'audit_log'"))
        expect((await verified(db, { kept: head })).faults.length).toBeGreaterThan(0)
      }),
      { numRuns: 30 },
    )
  })

  it('can still be verified after any purges', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({ before: fc.integer({ min: 0, max: 20 }), events: fc.option(fc.subarray(['create_tag', 'delete_tag']), { nil: undefined }) }),
          {
            maxLength: 4,
          },
        ),
        async (wishes) => {
          const clock = new TestClock()
          await using held = await temporaryDatabase({ clock })
          const { db } = held
          const start = clock.now()
          for (let n = 0; n < 20; n++) {
            await appendChange(db, change(n))
            clock.advance(1)
          }
          const { head } = await verified(db)
          for (const { before, events } of wishes) {
            const wish = { before: start + before, events }
            const would = await purged(db, { ...wish, dryRun: true, actor: 'user:1' })
            expect(await purged(db, { ...wish, dryRun: false, actor: 'user:1' })).toBe(would)
            expect(await purged(db, { ...wish, dryRun: false, actor: 'user:1' })).toBe(0)
          }
          expect(await verified(db, { kept: head })).toMatchObject({ faults: [] })
          await appendChange(db, change(99))
          expect(await verified(db)).toMatchObject({ faults: [] })
        },
      ),
      { numRuns: 20 },
    )
  })

  it('stays one chain with the right names, whichever of two processes writes, fails or purges', async () => {
    const step = fc.record({
      first: fc.boolean(),
      what: fc.constantFrom('tell', 'tell', 'person', 'fails', 'person-fails', 'purge'),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 16 }), async (steps) => {
        const clock = new TestClock()
        await using held = await temporaryDatabase({ clock })
        const other = await openDatabase({ url: held.url, clock })
        try {
          const people = new Map<string, string>()
          for (const [n, { first, what }] of steps.entries()) {
            const db = first ? held.db : other
            clock.advance(1)
            const person = () => createUser(db, { username: `person-${n}`, admin: false }, 'system')
            if (what === 'person') people.set(`user:${(await person()).id}`, `person-${n}`)
            else if (what === 'purge') await purged(db, { before: clock.now() - 4, dryRun: false, actor: 'system' })
            else if (what === 'tell') {
              const actor = [...people.keys()][n % Math.max(1, people.size)] ?? 'system'
              await appendChange(db, { ...change(n), actor })
            } else {
              const failing = db.write(async (connection) => {
                if (what === 'person-fails') {
                  // Its id is given again, to somebody else.
                  const { id } = await connection.sql.get<{ id: number }>(
                    "INSERT INTO users (username, realname, created_at, updated_at) VALUES ('nobody', '', 0, 0) RETURNING id",
                  )
                  await tell(db, connection, { ...change(n), actor: `user:${id}` })
                } else await tell(db, connection, change(n))
                throw new RangeError('no')
              })
              await expect(failing).rejects.toThrow('no')
            }
          }
          expect(await verified(held.db)).toMatchObject({ faults: [] })
          for (const row of await readAudit(other, 0, 100)) {
            if (row.actor.startsWith('user:')) expect(row.username).toBe(people.get(row.actor))
          }
        } finally {
          await other.close()
        }
      }),
      { numRuns: 40 },
    )
  }, 60_000)

  it('names the kinds of its entries', () => {
    expect(AUDIT_EVENT_TYPES).toContain('pull_artifact')
    expect(AUDIT_EVENT_TYPES).toContain('create_project')
    expect(new Set(AUDIT_EVENT_TYPES).size).toBe(AUDIT_EVENT_TYPES.length)
  })
})
