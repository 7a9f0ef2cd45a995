import { expect, it } from 'vitest'
import { systemClock } from '../registry/clock.ts'
import { TestClock } from '../test/support/clock.ts'
import { temporaryDatabase } from '../test/support/database.ts'
import { parseCron } from './cron.ts'
import { listJobs } from './jobs.ts'
import { deleteSchedule, enqueueDue, findSchedule, nextDue, putSchedule } from './schedules.ts'

const at = (text: string) => Date.parse(`${text}Z`)
const all = { page: 1, pageSize: 100 }

it.each([
  ['0 0 3 * * *', '2026-01-01T03:00:00', '2026-01-02T03:00:00'],
  ['0 */15 * * * *', '2026-01-01T03:14:59', '2026-01-01T03:15:00'],
  ['0 0 0 * * 0', '2026-01-01T00:00:00', '2026-01-04T00:00:00'],
  ['0 0 0 29 2 ?', '2026-01-01T00:00:00', '2028-02-29T00:00:00'],
])('%s comes after %s at %s', (cron, after, next) => {
  expect(parseCron(cron).next(at(after))).toBe(at(next))
})

it('says what is wrong with an expression', () => {
  expect(parseCron('0 0 0 31 2 *').next(0)).toBeUndefined()
  for (const wrong of ['', '* * * * *', '@daily', '0 0 24 * * *', '0 0 0 * * * 2027', 'x'.repeat(200)])
    expect(() => parseCron(wrong)).toThrow(SyntaxError)
})

it('a job is enqueued once when it is due, whoever looks, and what was missed is not made up for', async () => {
  const clock = new TestClock(at('2026-01-01T00:00:00'))
  await using held = await temporaryDatabase({ clock: { now: () => clock.now(), after: systemClock.after } })
  const { db } = held
  await putSchedule(db, { purpose: 'gc', type: 'Hourly', cron: '0 0 * * * *', job: { kind: 'work', payload: { n: 1 } } })
  expect(await enqueueDue(db)).toBe(0)
  expect(await nextDue(db)).toBe(at('2026-01-01T01:00:00'))
  clock.advance(5.5 * 3_600_000)
  await Promise.all([enqueueDue(db), enqueueDue(db)])
  expect((await listJobs(db, {}, all)).items).toMatchObject([{ kind: 'work', payload: { n: 1 }, state: 'queued' }])
  expect((await findSchedule(db, 'gc'))?.nextAt).toBe(at('2026-01-01T06:00:00'))
  await putSchedule(db, { purpose: 'gc', type: 'Custom', cron: '0 30 6 * * *', job: { kind: 'work', payload: { n: 2 } } })
  clock.advance(3_600_000)
  expect(await enqueueDue(db)).toBe(1)
  expect((await listJobs(db, {}, all)).items).toMatchObject([{ payload: { n: 2 } }, { payload: { n: 1 } }])
  expect([await deleteSchedule(db, 'gc'), await deleteSchedule(db, 'gc'), await nextDue(db)]).toEqual([true, false, undefined])
})
