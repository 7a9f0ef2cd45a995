import { describe, expect, it } from 'vitest'
import { RegistryError } from '../registry/spec/errors.ts'
import type { OriginClient, Question } from './origin-client.ts'
import { PasswordsOnly, UpstreamTokens } from './upstream-tokens.ts'

const SCOPE = 'repository:library/app:pull'
const DENIED = { errors: [{ code: 'DENIED', message: 'hub.example.com gives no token: it does not accept the user name or password of "ci".' }] }

function asking(status: number, body: object, headers: Record<string, string> = {}) {
  const asked: Question[] = []
  const ask = async (_method: string, _path: string, question: Question) => {
    asked.push(question)
    return { status, headers: new Headers(headers), text: JSON.stringify(body) }
  }
  return { asked, tokens: new UpstreamTokens({ ask, now: () => 0 } as unknown as OriginClient, 'hub') }
}

describe('a token of an upstream', () => {
  it('is asked for once and kept as long as it is good', async () => {
    const { tokens, asked } = asking(200, { token: 't', expiresAt: 60_000 })
    expect([await tokens.token(SCOPE), await tokens.token(SCOPE), asked.length]).toEqual(['t', 't', 1])
  })

  it.each([
    [403, 'DENIED', undefined],
    [502, 'UPSTREAM_INVALID', undefined],
    [503, 'UNAVAILABLE', '7'],
    [429, 'TOOMANYREQUESTS', '7'],
  ] as const)('that the origin does not get (%i) is %s, in its words', async (status, code, after) => {
    const { tokens } = asking(status, DENIED, { 'Retry-After': '7' })
    const error: unknown = await tokens.token(SCOPE).catch((thrown) => thrown)
    expect(error).toBeInstanceOf(RegistryError)
    expect(error).toMatchObject({ code, message: DENIED.errors[0]?.message })
    expect((error as RegistryError).headers['Retry-After']).toBe(after)
  })

  it('is none where the upstream knows passwords only', async () => {
    await expect(asking(401, {}).tokens.token(SCOPE)).rejects.toBeInstanceOf(PasswordsOnly)
  })
})
