import { describe, expect, it } from 'vitest'
import { ANONYMOUS, type Principal } from '../policy/facts.ts'
import { bearer, type Holder } from './caller.ts'
import type { AccessToken } from './tokens.ts'

const robot: Principal = { ...ANONYMOUS, id: 'robot:4', kind: 'robot', name: 'robot$ci' }
const token: AccessToken = {
  issuer: 'atoll',
  audience: 'atoll',
  subject: robot.id,
  access: [],
  issuedAt: 0,
  expiresAt: 300_000,
  id: 'one',
  credentialVersion: 3,
}
const holder: Holder = { principal: robot, credentialVersion: 3 }
const held = (now: Holder | undefined, at = 1_000) => bearer(token, async () => now, at)

describe('the holder of a token', () => {
  it('is known while the secret that it was given for is in use', async () => {
    expect(await held(holder)).toEqual({ principal: robot, credentialVersion: 3, access: [], presented: true })
  })

  it.each([
    ['its account is gone', undefined, /gone/],
    ['its secret was changed', { ...holder, credentialVersion: 4 }, /changed/],
    ['its account is disabled', { ...holder, principal: { ...robot, enabled: false } }, /disabled/],
    ['its account has expired', { ...holder, principal: { ...robot, expiresAt: 1_000 } }, /expired/],
  ])('is nobody once %s', async (_when, now, reason) => {
    await expect(held(now)).rejects.toMatchObject({ status: 401, message: expect.stringMatching(reason) })
  })

  it('is nobody when the token names no credential, as those of before did', async () => {
    const { credentialVersion: _, ...older } = token
    await expect(bearer(older, async () => holder, 0)).rejects.toMatchObject({ status: 401 })
  })

  it('needs no account to be anonymous', async () => {
    const asked: string[] = []
    const anonymous = { ...token, subject: ANONYMOUS.id }
    expect(
      await bearer(
        anonymous,
        async (id) => {
          asked.push(id)
          return undefined
        },
        0,
      ),
    ).toMatchObject({ principal: ANONYMOUS })
    expect(asked).toEqual([])
  })
})
