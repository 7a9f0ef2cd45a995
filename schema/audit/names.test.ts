import fc from 'fast-check'
import { expect, it } from 'vitest'
import { TestClock } from '../../test/support/clock.ts'
import { seed, temporaryDatabase } from '../../test/support/database.ts'
import { appendChange, tellAll } from '../changes.ts'
import type { Database } from '../database.ts'
import { createUser } from '../users.ts'
import { forgetAllAuditNames, NAMES_FOUND, noteAuditNames } from './names.ts'
import { purgeAudit } from './purge.ts'
import { listAudit, readAudit } from './read.ts'

const ALL = { page: 1, pageSize: 5_000 }
/** As SQLite does it: only the letters of ASCII have a case. */
const folded = (text: string) => text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())

const noteAll = async (db: Database) => {
  while (await noteAuditNames(db));
}

const word = fc.oneof(
  fc.constantFrom('team/app', 'Team/App', 'team/ap', 'straße', 'STRASSE', 'a"b%c_d\\e', 'İstanbul', '日本語の名前', '🐳🐳🐳', 'xy'),
  fc.string({ unit: fc.constantFrom('a', 'b', 'A', '-', '%', '"', 'é', '🐳'), maxLength: 8 }),
)

it('a part of a name finds what has it, whatever was written down when, purged or searched for', { timeout: 60_000 }, async () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ does: fc.constant('append' as const), subject: word }) },
    { weight: 2, arbitrary: fc.record({ does: fc.constant('note' as const) }) },
    { weight: 1, arbitrary: fc.record({ does: fc.constant('purge' as const) }) },
    { weight: 4, arbitrary: fc.record({ does: fc.constant('search' as const), part: word }) },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const clock = new TestClock()
      await using held = await temporaryDatabase({ clock })
      const { db } = held
      await seed(db)
      const search = async (part: string) => {
        const { items, total } = await listAudit(db, { resource: { match: 'part', text: part } }, ALL)
        const wanted = (await readAudit(db, 0, 5_000)).filter(({ resource }) => folded(resource).includes(folded(part))).map(({ id }) => id)
        expect({ part, ids: items.map(({ id }) => id), total }).toEqual({ part, ids: wanted.reverse(), total: wanted.length })
      }
      for (const each of steps) {
        clock.advance(1)
        if (each.does === 'append') await appendChange(db, { actor: 'user:1', kind: 'manifest.deleted', subject: each.subject })
        else if (each.does === 'note') await noteAuditNames(db)
        else if (each.does === 'search') await search(each.part)
        else for await (const _ of purgeAudit(db, { before: clock.now() - 5, dryRun: false, actor: 'user:1' })) void _
      }
      await noteAll(db)
      for (const each of steps)
        if ('subject' in each) {
          const letters = [...each.subject]
          for (const part of [letters, letters.slice(1, 4), letters.slice(-2)]) await search(part.join(''))
        }
    }),
    { numRuns: 25 },
  )
})

it('names that only purged entries had are forgotten', async () => {
  const clock = new TestClock()
  await using held = await temporaryDatabase({ clock })
  const { db } = held
  await seed(db)
  const leaver = await createUser(db, { username: 'leaver' }, 'user:1')
  await appendChange(db, { actor: `user:${leaver.id}`, kind: 'manifest.deleted', subject: 'team/secret' })
  await appendChange(db, { actor: 'user:1', kind: 'manifest.deleted', subject: 'team/kept' })
  await noteAll(db)
  clock.advance(1_000)
  await appendChange(db, { actor: 'user:1', kind: 'manifest.deleted', subject: 'team/kept' })
  for await (const _ of purgeAudit(db, { before: clock.now(), dryRun: false, actor: 'user:1' })) void _
  await noteAll(db)
  const { sql } = db.read
  const names = (await sql.all<{ name: string }>("SELECT name FROM audit_names WHERE kind IN ('username', 'resource')")).map(({ name }) => name)
  expect(names).toContain('team/kept')
  expect(names).not.toContain('team/secret')
  expect(names).not.toContain('leaver')
  expect(await sql.all('SELECT rowid FROM audit_grams WHERE audit_grams MATCH \'"sec"\'')).toEqual([])
})

it('a part that very many names have is found as well, on every page, and with what else is asked', { timeout: 30_000 }, async () => {
  await using held = await temporaryDatabase()
  const { db } = held
  await seed(db)
  const many = NAMES_FOUND + 100
  const changes = Array.from({ length: many }, (_, n) => ({
    actor: 'user:1',
    kind: n % 2 ? ('manifest.deleted' as const) : ('manifest.put' as const),
    subject: `team/app-${n}`,
  }))
  await db.write((connection) => tellAll(db, connection, changes))
  for (const noted of [false, true]) {
    if (noted) await noteAll(db)
    const last = await listAudit(db, { resource: { match: 'part', text: 'APP-' } }, { page: many / 100, pageSize: 100 })
    expect({ total: last.total, items: last.items.map(({ resource }) => resource).slice(-2) }).toEqual({
      total: many,
      items: ['team/app-1', 'team/app-0'],
    })
    expect((await listAudit(db, { resource: { match: 'part', text: 'app-1' }, operation: { match: 'exact', value: 'delete' } }, ALL)).total).toBe(
      [...Array(many).keys()].filter((n) => n % 2 === 1 && String(n).startsWith('1')).length,
    )
    expect(
      (
        await listAudit(
          db,
          { username: { match: 'part', text: 'OWNER' }, operation: { match: 'part', text: 'let' }, resourceType: { match: 'part', text: 'fact' } },
          ALL,
        )
      ).total,
    ).toBe(many / 2)
  }
})

it('forgotten as a whole, names are written down anew from the beginning', async () => {
  await using held = await temporaryDatabase()
  const { db } = held
  await seed(db)
  await appendChange(db, { actor: 'user:1', kind: 'manifest.deleted', subject: 'team/first' })
  await noteAll(db)
  await db.write(forgetAllAuditNames)
  const grams = () => db.read.sql.all('SELECT rowid FROM audit_grams WHERE audit_grams MATCH \'"fir"\'')
  expect(await grams()).toEqual([])
  await noteAll(db)
  expect(await grams()).toHaveLength(1)
  expect((await listAudit(db, { resource: { match: 'part', text: 'first' } }, ALL)).total).toBe(1)
})

it('whatever is looked for is no question that SQLite cannot read', async () => {
  await using held = await temporaryDatabase()
  const { db } = held
  await seed(db)
  await noteAll(db)
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: fc.constantFrom('t', 'e', 'a', '"', "'", '\0', '*', '(', ':', '^', '-', '\\', '%', ' AND ', ' NOT '), maxLength: 8 }),
      async (text) => {
        await expect(listAudit(db, { resource: { match: 'part', text } }, ALL)).resolves.toBeDefined()
      },
    ),
  )
})
