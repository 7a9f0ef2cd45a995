import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ThrottleLimits } from '../../runtime/credentials/throttle.ts'
import { createRobot } from '../../schema/robots.ts'
import { openTestOrigin, type TestOrigin } from '../testing/origin.ts'
import { SharedGuesses } from './guesses.ts'

const LIMITS: ThrottleLimits = { perAccount: 5, perAddress: 50, anywhere: 8, window: 60_000, remembered: 100 }
const tooMany = { code: 'TOOMANYREQUESTS' }

let origin: TestOrigin
beforeAll(async () => {
  origin = await openTestOrigin()
})
afterAll(() => origin.close())

describe('guesses at one account from everywhere', () => {
  let guesses: SharedGuesses
  let number = 0
  beforeEach(() => {
    const { db, log } = origin.origin.services
    guesses = new SharedGuesses({ db, log, key: Buffer.alloc(32, ++number), limits: LIMITS })
  })

  async function guess(times: number): Promise<void> {
    for (let at = 0; at < times; at++) await guesses.wrong('Admin', `203.0.113.${at}`)
  }

  it('are stopped, but for those who come from where it was used before', async () => {
    await guesses.right('admin', '198.51.100.9', false)
    await guess(LIMITS.anywhere - 1)
    expect(await guesses.admit('admin', '192.0.2.1')).toBe(false)
    await guess(1)
    await expect(guesses.admit('admin', '192.0.2.1')).rejects.toMatchObject(tooMany)
    expect(await guesses.admit('ADMIN', '198.51.100.9')).toBe(false)
    expect(await guesses.admit('another', '192.0.2.1')).toBe(false)
  })

  it('and where it was used before, there are a few guesses as from anywhere', async () => {
    await guesses.right('admin', '198.51.100.9', false)
    for (let at = 0; at < LIMITS.perAccount; at++) await guesses.wrong('admin', '198.51.100.9')
    await expect(guesses.admit('admin', '198.51.100.9')).rejects.toMatchObject(tooMany)
  })

  it('are over with their window; and a month later the address is like any other', async () => {
    await guesses.right('admin', '198.51.100.9', false)
    await guess(LIMITS.anywhere)
    origin.clock.ahead += LIMITS.window + 1_000
    expect(await guesses.admit('admin', '192.0.2.1')).toBe(false)
    origin.clock.ahead += 31 * 24 * 3_600_000
    await guess(LIMITS.anywhere)
    await expect(guesses.admit('admin', '198.51.100.9')).rejects.toMatchObject(tooMany)
  })
})

it('a robot’s secret of yesterday counts once, however often it is tried', async () => {
  const { robotSecrets, db } = origin.origin.services
  const { secret, hash } = await robotSecrets.create()
  await createRobot(db, { name: 'ci', secretHash: hash, duration: -1, permissions: [], creator: 'user:1' }, 'user:1')
  const attempt = async (word: string) =>
    (await origin.ask('GET', '/service/token', { credentials: `robot$ci:${word}`, address: '198.51.100.7' })).status
  for (let time = 0; time < 30; time++) expect(await attempt('of-yesterday')).toBe(401)
  expect(await attempt(secret)).toBe(200)
  for (let guess = 0; guess < 10; guess++) expect(await attempt(`guess-${guess}`)).toBe(401)
  expect(await attempt(secret)).toBe(429)
})
