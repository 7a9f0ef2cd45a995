import { afterAll, describe, it } from 'vitest'
import { randomRun } from './run/run.ts'
import { chaosSettings } from './run/settings.ts'
import { Site } from './run/site.ts'

const { seed, seconds } = chaosSettings({ seconds: 60 })
const site = await Site.start('node')

describe.skipIf(site === undefined)('a random run', () => {
  afterAll(async () => {
    await site?.[Symbol.asyncDispose]()
  })

  it(`serves nothing wrong, answers in time and heals (ATOLL_CHAOS_SEED=${seed}, ATOLL_CHAOS_SECONDS=${seconds})`, {
    timeout: (seconds + 600) * 1000,
  }, async () => {
    if (site !== undefined) await randomRun(site, { seed, seconds }, { clients: 6, right: 100 })
  })
})
