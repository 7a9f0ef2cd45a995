import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type Client, createClient } from '@libsql/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Place, watchPlaces } from './places.ts'

// Before anything of schema/ is loaded.
const watch = await watchPlaces()
const { systemClock } = await import('../../registry/clock.ts')
const { generate, scaled } = await import('../bench/growth/generate.ts')
const { seed, temporaryDatabase } = await import('../support/database.ts')
const { recordStatements } = await import('./driver.ts')
const { images } = await import('./life/images.ts')
const { people } = await import('./life/people.ts')
const { sites } = await import('./life/sites.ts')
const { work } = await import('./life/work.ts')
const { costlyPlans } = await import('./plans.ts')
const { askLists } = await import('./searches.ts')
const { REASONS, SMALL } = await import('./reasons.ts')

const SCHEMA = fileURLToPath(new URL('../../schema/', import.meta.url))
// Whatever nothing above needs is looked at as well: a new file with a new question.
for (const file of await readdir(SCHEMA, { recursive: true })) if (/^[^.]+\.ts$/.test(file)) await import(SCHEMA + file)

/** A database that nobody has filled, and one that holds much and knows how much: SQLite plans differently by them. */
describe('what the product asks of its database', () => {
  const seen = new Map<string, string>()
  let places = 0
  let missed: readonly Place[] = []
  let held: Awaited<ReturnType<typeof temporaryDatabase>>
  let client: Client

  beforeAll(async () => {
    held = await temporaryDatabase()
    client = createClient({ url: held.url, concurrency: 1 })
    const statements = await recordStatements()
    try {
      let ahead = 0
      await using lived = await temporaryDatabase({ clock: { now: () => systemClock.now() + ahead, after: systemClock.after } })
      await seed(lived.db)
      const later = (ms: number) => {
        ahead += ms
      }
      for (const [what, does] of [...people, ...images, ...work, ...sites]) {
        statements.by(what)
        await does(lived.db, later)
      }
      await askLists(statements.by)
    } finally {
      statements.stop()
    }
    for (const [sql, by] of statements.seen) seen.set(sql, by)
    ;({ places, missed } = await watch.missed())
  }, 300_000)

  afterAll(async () => {
    client.close()
    await held[Symbol.asyncDispose]()
  })

  const unreasonable = async () => (await costlyPlans(client, seen, SMALL)).filter((costly) => !REASONS.some((reason) => reason.covers(costly)))

  it('is all asked here: every place in schema/ that makes a statement has made one', () => {
    expect(places).toBeGreaterThan(450)
    expect(missed, 'Have a step of test/schema/life ask what these ask.').toEqual([])
  })

  it('reads no whole table, and sorts none, but for a reason, in a young database', async () => {
    expect(seen.size).toBeGreaterThan(900)
    expect(await unreasonable()).toEqual([])
  })

  it('nor in one that has grown and knows it, and each reason is still one', async () => {
    const young = await costlyPlans(client, seen, SMALL)
    await seed(held.db)
    await generate(held.url, scaled(0), () => {})
    expect(await unreasonable()).toEqual([])
    const grown = await costlyPlans(client, seen, SMALL)
    expect(REASONS.filter((reason) => ![...young, ...grown].some((costly) => reason.covers(costly)))).toEqual([])
  })

  it('would be found if it did', async () => {
    const bad = ['SELECT * FROM tags WHERE digest = ?', 'SELECT t.name AS a FROM tags t ORDER BY t.pulled_at LIMIT 5']
    const found = await costlyPlans(client, new Map(bad.map((sql) => [sql, 'somebody'])), SMALL)
    expect(found.map(({ steps }) => steps)).toEqual([['SCAN tags'], ['SCAN t', 'USE TEMP B-TREE FOR ORDER BY']])
    expect(found.filter((costly) => REASONS.some((reason) => reason.covers(costly)))).toEqual([])
  })
})
