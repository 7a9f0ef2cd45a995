import { expect, test } from 'vitest'
import type { Log } from '../../registry/log.ts'
import { Throttle } from '../../runtime/credentials/throttle.ts'
import { keptInMemory } from '../kept.ts'
import { Grants, type GrantsOptions, type SlowHashes } from './grants.ts'

const GRACE = 3_600_000
const MIMI = { subject: 'user:3', credentialVersion: 7 } as const
const quiet: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** Not slow, and it counts. */
class Hashes implements SlowHashes {
  made = 0
  async hash(secret: string): Promise<string> {
    this.made++
    return `hash of ${secret}`
  }
  async verify(secret: string, stored: string | undefined): Promise<boolean> {
    return stored === `hash of ${secret}`
  }
}

async function hmac(seed: number): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', new Uint8Array(32).fill(seed), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
}

async function setUp(options: Partial<GrantsOptions> = {}) {
  const time = { now: 1_000_000 }
  const kept = keptInMemory()
  const hashes = new Hashes()
  const clock = { now: () => time.now }
  const make = async (more: Partial<GrantsOptions> = {}) =>
    new Grants({ kept, hashes, key: await hmac(1), throttle: new Throttle(clock), clock, log: quiet, grace: GRACE, ...options, ...more })
  return { time, kept, hashes, make, grants: await make() }
}

test('who has logged in is known again by the same secret, also after a restart, and by no other', async () => {
  const { grants, make } = await setUp()
  await grants.keep({ username: 'mimi', password: 'Harbour12345' }, MIMI)
  expect(await grants.find({ username: 'mimi', password: 'Harbour12345' }, undefined)).toEqual(MIMI)
  expect(await grants.find({ username: 'mimi', password: 'Harbour12346' }, undefined)).toBeUndefined()
  expect(await grants.find({ username: 'momo', password: 'Harbour12345' }, undefined)).toBeUndefined()
  expect(await (await make()).find({ username: 'mimi', password: 'Harbour12345' }, undefined)).toEqual(MIMI)
})

test('a grant ends with the grace, and when the clock is set back before it', async () => {
  const { grants, time } = await setUp()
  const given = time.now
  await grants.keep({ username: 'mimi', password: 'secret' }, MIMI)
  time.now = given + GRACE
  expect(await grants.find({ username: 'mimi', password: 'secret' }, undefined)).toEqual(MIMI)
  time.now = given + GRACE + 1
  expect(await grants.find({ username: 'mimi', password: 'secret' }, undefined)).toBe('over')
  expect(await grants.find({ username: 'mimi', password: 'guess' }, undefined)).toBeUndefined()
  time.now = given - 1
  expect(await grants.find({ username: 'mimi', password: 'secret' }, undefined)).toBe('over')
})

test('without a grace nothing is kept', async () => {
  const { grants, kept } = await setUp({ grace: 0 })
  await grants.keep({ username: 'mimi', password: 'secret' }, MIMI)
  expect(await Array.fromAsync(kept.keys(''))).toEqual([])
})

test('neither names nor secrets are kept, and what is kept opens nothing at another edge', async () => {
  const { grants, kept, make } = await setUp()
  await grants.keep({ username: 'mimi', password: 'secret' }, MIMI)
  const keys = await Array.fromAsync(kept.keys(''))
  const all = JSON.stringify([keys, await Promise.all(keys.map((key) => kept.get(key)))])
  expect(all).not.toContain('mimi')
  expect(all).not.toMatch(/\bsecret\b/)
  expect(await (await make({ key: await hmac(2) })).find({ username: 'mimi', password: 'secret' }, undefined)).toBeUndefined()
})

test('many pulls with one login cost one slow hash, and a changed secret is written at once', async () => {
  const { grants, hashes, time } = await setUp()
  for (let i = 0; i < 20; i++) await grants.keep({ username: 'mimi', password: 'secret' }, MIMI)
  expect(hashes.made).toBe(1)
  await grants.keep({ username: 'mimi', password: 'secret' }, { ...MIMI, credentialVersion: 8 })
  expect(await grants.find({ username: 'mimi', password: 'secret' }, undefined)).toEqual({ ...MIMI, credentialVersion: 8 })
  time.now += GRACE / 2
  await grants.keep({ username: 'mimi', password: 'secret' }, { ...MIMI, credentialVersion: 8 })
  expect(hashes.made).toBe(3)
})

test('grants that are over do not stay on the disk', async () => {
  const { grants, kept, time } = await setUp()
  await grants.keep({ username: 'mimi', password: 'secret' }, MIMI)
  time.now += 2 * GRACE
  await grants.keep({ username: 'momo', password: 'other' }, { subject: 'user:4' })
  expect(await Array.fromAsync(kept.keys('grants/'))).toHaveLength(1)
})

test('guesses are slowed down: after ten wrong ones even the right secret has to wait', async () => {
  const { grants, time } = await setUp()
  await grants.keep({ username: 'mimi', password: 'secret' }, MIMI)
  for (let i = 0; i < 10; i++) expect(await grants.find({ username: 'mimi', password: `guess ${i}` }, '192.0.2.1')).toBeUndefined()
  await expect(grants.find({ username: 'mimi', password: 'secret' }, '192.0.2.1')).rejects.toMatchObject({ code: 'TOOMANYREQUESTS' })
  expect(await grants.find({ username: 'mimi', password: 'secret' }, '192.0.2.2')).toEqual(MIMI)
  time.now += 300_000
  expect(await grants.find({ username: 'mimi', password: 'secret' }, '192.0.2.1')).toEqual(MIMI)
})
