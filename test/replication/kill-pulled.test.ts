import { afterAll, beforeAll, describe, test } from 'vitest'
import { COPY_STEPS } from '../../registry/copy/steps.ts'
import { PUSH_STEPS } from '../../registry/local/steps.ts'
import { chosen } from '../support/chosen.ts'
import { IN_ITS_BUFFERS, inItsHands, nameOf, TwoSites } from './two-sites-that-stop.ts'

let sites: TwoSites

beforeAll(async () => {
  sites = await TwoSites.start('pull')
}, 120_000)
afterAll(() => sites?.[Symbol.asyncDispose]())

describe('what is pulled from B ends whole, and travels once', () => {
  test.each(chosen([...PUSH_STEPS, ...COPY_STEPS], 4))(
    'when A is killed at: %s',
    async (step) => {
      const { a } = sites
      const begun = await sites.begin(nameOf('into', step), () => a.stopAt(step, 'SIGKILL'))
      await a.stopped('SIGKILL')
      await a.comeBack()
      await sites.endsWhole(begun, IN_ITS_BUFFERS)
    },
    120_000,
  )

  test.each(chosen(COPY_STEPS, 4))(
    'when B is killed while A is at: %s',
    async (step) => {
      const { a, b } = sites
      const begun = await sites.begin(nameOf('from', step), () => a.stopAt(step, 'SIGSTOP'))
      await a.stopped('SIGSTOP')
      try {
        await b.process.kill()
        await b.comeBack()
      } finally {
        a.goOn()
      }
      await sites.endsWhole(begun, inItsHands(step))
    },
    120_000,
  )
})
