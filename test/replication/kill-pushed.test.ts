import { afterAll, beforeAll, describe, test } from 'vitest'
import { TASK_STEPS } from '../../control-plane/replication/steps.ts'
import { COPY_STEPS } from '../../registry/copy/steps.ts'
import { PUSH_STEPS } from '../../registry/local/steps.ts'
import { chosen } from '../support/chosen.ts'
import { IN_ITS_BUFFERS, inItsHands, nameOf, TwoSites } from './two-sites-that-stop.ts'

let sites: TwoSites

beforeAll(async () => {
  sites = await TwoSites.start('push')
}, 120_000)
afterAll(() => sites?.[Symbol.asyncDispose]())

describe('what is pushed to B ends whole, and travels once', () => {
  test.each(chosen([...TASK_STEPS, ...COPY_STEPS], 4))(
    'when A is killed at: %s',
    async (step) => {
      const { a } = sites
      const begun = await sites.begin(nameOf('a', step), () => a.stopAt(step, 'SIGKILL'))
      await a.stopped('SIGKILL')
      await a.comeBack()
      await sites.endsWhole(begun, inItsHands(step))
    },
    120_000,
  )

  test.each(chosen(COPY_STEPS, 4))(
    'when B is killed while A is at: %s',
    async (step) => {
      const { a, b } = sites
      const begun = await sites.begin(nameOf('at', step), () => a.stopAt(step, 'SIGSTOP'))
      await a.stopped('SIGSTOP')
      try {
        await b.process.kill()
        await b.comeBack()
      } finally {
        a.goOn()
      }
      await sites.endsWhole(begun, IN_ITS_BUFFERS)
    },
    120_000,
  )

  test.each(chosen(PUSH_STEPS, 4))(
    'when B is killed at: %s',
    async (step) => {
      const { b } = sites
      const begun = await sites.begin(nameOf('b', step), () => b.stopAt(step, 'SIGKILL'))
      await b.stopped('SIGKILL')
      await b.comeBack()
      await sites.endsWhole(begun, IN_ITS_BUFFERS)
    },
    120_000,
  )
})
