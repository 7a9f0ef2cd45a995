import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createClient } from '@libsql/client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../registry/clock.ts'
import { type TemporaryDatabase, temporaryDatabase } from '../test/support/database.ts'
import { appendChange, headOfChanges, readChanges, tell } from './changes.ts'
import { openDatabase } from './database.ts'
import { BUSY_PAUSE_LIMIT_MS, WRITE_QUEUE_LIMIT } from './limits.ts'

const change = (subject: string) => ({ actor: 'system', kind: 'tag.set', subject }) as const

describe('writes', () => {
  let held: TemporaryDatabase
  beforeEach(async () => {
    held = await temporaryDatabase()
  })
  afterEach(() => held[Symbol.asyncDispose]())

  it('that wait together share a commit', async () => {
    let commits = 0
    held.db.onCommit(() => commits++)
    const seqs = await Promise.all(Array.from({ length: 64 }, (_, i) => appendChange(held.db, change(`s${i}`))))
    expect(seqs).toEqual(Array.from({ length: 64 }, (_, i) => i + 1))
    expect(commits).toBe(1)
  })

  it('are not announced before others can read them', async () => {
    let seen = -1
    const read = new Promise<void>((resolve) => {
      held.db.onCommit(async () => {
        seen = (await readChanges(held.db, 0, 10)).length
        resolve()
      })
    })
    let resolvedEarly = false
    const writing = held.db.write(async (connection) => {
      await tell(held.db, connection, change('one'))
      resolvedEarly = (await headOfChanges(held.db)) > 0
    })
    await Promise.all([writing, read])
    expect(resolvedEarly).toBe(false)
    expect(seen).toBe(1)
  })

  it('that fail leave nothing, and their mates of the same commit alone', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 30 }, (_, i) =>
        held.db.write(async (connection) => {
          await tell(held.db, connection, change(`s${i}`))
          if (i % 3 === 0) throw new RangeError(`no ${i}`)
          if (i % 3 === 1) await connection.sql.run('INSERT INTO projects (id) VALUES (NULL)')
        }),
      ),
    )
    expect(results.map((result) => result.status)).toEqual(Array.from({ length: 30 }, (_, i) => (i % 3 === 2 ? 'fulfilled' : 'rejected')))
    expect(results[0]).toMatchObject({ reason: new RangeError('no 0') })
    const subjects = (await readChanges(held.db, 0, 100)).map((row) => row.subject)
    expect(subjects).toEqual(Array.from({ length: 10 }, (_, i) => `s${i * 3 + 2}`))
  })

  it('beyond the bound of the queue are refused with 503, the rest go through', async () => {
    const results = await Promise.allSettled(Array.from({ length: WRITE_QUEUE_LIMIT + 3 }, () => held.db.write(async () => undefined)))
    const refused = results.filter((result) => result.status === 'rejected')
    expect(refused).toHaveLength(3)
    expect(refused[0]?.reason).toMatchObject({ code: 'UNAVAILABLE', status: 503 })
  })

  it('that wait when the database is closed are done, and later ones refused', async () => {
    const waiting = appendChange(held.db, change('last'))
    const closing = held.db.close()
    await expect(appendChange(held.db, change('late'))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await closing
    expect(await waiting).toBe(1)
    const again = await openDatabase({ url: held.url, clock: systemClock })
    expect(await headOfChanges(again)).toBe(1)
    await again.close()
  })

  it('cannot be added to after their end', async () => {
    let kept: Parameters<Parameters<typeof held.db.write>[0]>[0] | undefined
    await held.db.write(async (connection) => {
      kept = connection
    })
    await expect(kept?.sql.run('DELETE FROM changes')).rejects.toThrow()
  })

  it('wait for a lock that another process holds', async () => {
    const other = createClient({ url: held.url })
    const lock = await other.transaction('write')
    let done = false
    const writing = appendChange(held.db, change('patient')).then(() => {
      done = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    await new Promise((resolve) => setImmediate(resolve))
    expect(done).toBe(false)
    await lock.commit()
    await writing
    other.close()
    expect(await headOfChanges(held.db)).toBe(1)
  })

  it('give up on such a lock after their deadline, with 503', async () => {
    let now = 0
    const hasty = await openDatabase({
      url: held.url,
      clock: {
        now: () => now,
        after: (ms, run) =>
          systemClock.after(0, () => {
            now += ms + 1000
            run()
          }),
      },
    })
    const other = createClient({ url: held.url })
    const lock = await other.transaction('write')
    await expect(appendChange(hasty, change('x'))).rejects.toMatchObject({ code: 'UNAVAILABLE', status: 503 })
    await lock.rollback()
    await appendChange(hasty, change('y'))
    await hasty.close()
    other.close()
  })

  it('wait as long as they may, however the clock is set meanwhile', async () => {
    let set = 0
    let steady = 0
    let pauses = 0
    let step = 0
    const paused = Promise.withResolvers<void>()
    const clock = {
      now: () => set,
      monotonic: () => steady,
      after: (ms: number, run: () => void) =>
        ms > BUSY_PAUSE_LIMIT_MS
          ? systemClock.after(ms, run)
          : systemClock.after(0, () => {
              set += pauses % 2 === 0 ? 3_600_000 : -7_200_000
              steady += step
              if (++pauses === 3) paused.resolve()
              run()
            }),
    }
    const db = await openDatabase({ url: held.url, clock })
    const other = createClient({ url: held.url })
    const lock = await other.transaction('write')
    const writing = appendChange(db, change('patient'))
    await paused.promise
    await lock.rollback()
    expect(await writing).toBe(1)
    const again = await other.transaction('write')
    step = 1000
    await expect(appendChange(db, change('late'))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await again.rollback()
    await db.close()
    other.close()
  })

  it('of two processes that make one database at once: the second waits until it is made', async () => {
    const url = held.url.replace('atoll.db', 'new.db')
    const other = createClient({ url })
    const lock = await other.transaction('write')
    await lock.executeMultiple('COMMIT; BEGIN EXCLUSIVE')
    const pauses = Promise.withResolvers<void>()
    let count = 0
    const opening = openDatabase({
      url,
      clock: {
        now: () => 0,
        after: (ms, run) =>
          systemClock.after(Math.min(ms, 1), () => {
            if (++count === 3) pauses.resolve()
            run()
          }),
      },
    })
    await Promise.race([pauses.promise, opening])
    await lock.commit()
    const db = await opening
    expect(count).toBeGreaterThanOrEqual(3)
    expect(await headOfChanges(db)).toBe(0)
    await db.close()
    other.close()
  })

  it('of two processes on one file all arrive, each seen by the other', async () => {
    const other = await openDatabase({ url: held.url, clock: systemClock })
    await Promise.all(Array.from({ length: 100 }, (_, i) => appendChange(i % 2 ? held.db : other, change(`s${i}`))))
    expect(await headOfChanges(held.db)).toBe(100)
    expect(await headOfChanges(other)).toBe(100)
    const woken = held.db.changesAvailable(100)
    await appendChange(other, change('news'))
    expect(await woken).toBe(101)
    await other.close()
  })

  it('that were acknowledged survive kill -9', async () => {
    const script = `
      import { openDatabase } from ${JSON.stringify(new URL('./database.ts', import.meta.url).href)}
      import { appendChange } from ${JSON.stringify(new URL('./changes.ts', import.meta.url).href)}
      import { systemClock } from ${JSON.stringify(new URL('../registry/clock.ts', import.meta.url).href)}
      import { writeSync } from 'node:fs'
      const db = await openDatabase({ url: ${JSON.stringify(held.url)}, clock: systemClock })
      const worker = async (w) => { for (let i = 0; ; i++) writeSync(1, await appendChange(db, { actor: 'a', kind: 'tag.set', subject: w + '-' + i }) + '\\n') }
      await Promise.all(Array.from({ length: 16 }, (_, w) => worker(w)))`
    const child = spawn(process.execPath, ['--input-type=module-typescript', '--no-warnings', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    let told = ''
    child.stdout.on('data', (chunk) => {
      told += chunk
      if (told.length > 3000) child.kill('SIGKILL')
    })
    await once(child, 'close')
    const acknowledged = told.split('\n').slice(0, -1).map(Number)
    expect(acknowledged.length).toBeGreaterThan(100)
    const kept = new Set((await readChanges(held.db, 0, 1_000_000)).map((row) => row.seq))
    expect(acknowledged.filter((seq) => !kept.has(seq))).toEqual([])
  })
})

describe('a database', () => {
  it('is migrated once when several processes start at the same time', async () => {
    await using held = await temporaryDatabase()
    const others = await Promise.all(Array.from({ length: 4 }, () => openDatabase({ url: held.url, clock: systemClock })))
    const rows = await held.db.read.sql.all<{ applied: number }>('SELECT count(*) AS applied FROM __drizzle_migrations')
    expect(rows).toEqual([{ applied: 1 }])
    for (const other of others) await other.close()
  })

  it('in memory is refused', async () => {
    await expect(openDatabase({ url: ':memory:', clock: systemClock })).rejects.toThrow(TypeError)
  })
})

describe('whoever waits for changes', () => {
  it('is answered at once when there are some, and woken by a commit', async () => {
    await using held = await temporaryDatabase()
    await appendChange(held.db, change('a'))
    expect(await held.db.changesAvailable(0)).toBe(1)
    const woken = held.db.changesAvailable(1)
    await appendChange(held.db, change('b'))
    expect(await woken).toBe(2)
  })

  it('ends with its signal, and with the database', async () => {
    await using held = await temporaryDatabase()
    const controller = new AbortController()
    const aborted = held.db.changesAvailable(0, controller.signal)
    const closed = held.db.changesAvailable(0)
    controller.abort(new RangeError('enough'))
    await expect(aborted).rejects.toThrow('enough')
    const settled = expect(closed).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await held.db.close()
    await settled
  })
})
