import { expect, it } from 'vitest'
import { TestClock } from '../../test/support/clock.ts'
import { RegistryError } from '../spec/errors.ts'
import { Budget } from './budget.ts'
import { Health } from './health.ts'
import { PULL_THROUGH_LIMITS } from './limits.ts'

const asked = (headers: Record<string, string>) => () => Promise.reject(new RegistryError('TOOMANYREQUESTS', 'slower', undefined, { headers }))

it('tells the first who meets a limit when to come back, as those after him, whether or not the source says when', async () => {
  for (const [said, told] of [
    [{ 'Retry-After': '7' }, '7'],
    [{ 'Retry-After': '86400' }, '21600'],
    [{}, '10'],
    [{ 'Retry-After': '0' }, '10'],
  ] as const) {
    const clock = new TestClock()
    const health = new Health({ clock, budget: new Budget(clock), name: 'upstream.test', limits: { ...PULL_THROUGH_LIMITS, limitedMs: 10_000 } })
    const limited = { code: 'TOOMANYREQUESTS', headers: { 'Retry-After': told } }
    await expect(health.watch(asked(said))).rejects.toMatchObject(limited)
    await expect((async () => health.refuseWhileLimited())()).rejects.toMatchObject(limited)
  }
})
