import { decodeJwt } from 'jose'
import { describe, expect, it } from 'vitest'
import { RemoteRegistry, vendorOf } from '../registry/remote/index.ts'
import { parseDigest } from '../registry/spec/digests.ts'
import { parseRepositoryName } from '../registry/spec/names.ts'
import { TestClock } from '../test/support/clock.ts'
import { OriginClient } from './origin-client.ts'

const HOUR_MS = 3_600_000
const DIGEST = parseDigest(`sha256:${'a'.repeat(64)}`)

/** An origin with a clock of its own, which takes proofs that are a minute old at most. */
async function world({ takes = true } = {}) {
  const clock = new TestClock()
  const asked: string[] = []
  const fetch = async (url: URL, init: RequestInit) => {
    asked.push(url.pathname)
    const headers = { Date: new Date(clock.monotonic()).toUTCString() }
    if (!url.pathname.startsWith('/v2/')) return Response.json({ keys: [] }, { headers })
    const { iat = 0 } = decodeJwt(new Headers(init.headers).get('authorization')?.split(' ')[1] ?? '')
    if (!takes || Math.abs(iat * 1000 - clock.monotonic()) > 60_000) return new Response(null, { status: 401, headers })
    return new Response(null, { headers: { ...headers, 'Content-Length': '7' } })
  }
  const origin = new OriginClient({ url: new URL('https://origin.test'), clock, newId: () => crypto.randomUUID(), fetch })
  const { privateKey } = await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify'])
  const enrolment = { id: 'e', name: 'e', region: '', issuer: 'atoll', service: 'atoll', jwks: { keys: [] } }
  origin.join({ enrolment, key: { kid: 'k', privateKey, publicKey: { kty: 'OKP' } } })
  const registry = new RemoteRegistry({ url: origin.url, vendor: vendorOf('atoll'), fetch, authorizer: origin.authorizer(), clock })
  return { clock, asked, blobs: registry.with().repository(parseRepositoryName('team/app')).blobs }
}

describe('what an edge pulls from its origin', () => {
  it('comes also when somebody has just set a clock: the proof is made anew', async () => {
    const { clock, blobs } = await world()
    for (const set of [HOUR_MS, -2 * HOUR_MS]) {
      clock.set(set)
      expect(await blobs.stat(DIGEST)).toMatchObject({ size: 7 })
    }
  })

  it('is said to be unavailable, and not forbidden, when the origin does not take the proofs of the edge', async () => {
    const { asked, blobs } = await world({ takes: false })
    await expect(blobs.stat(DIGEST)).rejects.toMatchObject({ code: 'UNAVAILABLE', status: 503 })
    expect(asked.filter((path) => path.startsWith('/v2/')).length).toBeLessThanOrEqual(8)
  })
})
