import { describe, expect, it } from 'vitest'
import { unreachable, upstreamError } from '../../registry/remote/errors.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { advice, statusOf } from './advice.ts'

const url = new URL('https://registry.example.com')
const answered = (status: number, message = '') =>
  upstreamError({ status, headers: new Headers(), url, now: 0 }, JSON.stringify({ errors: [{ code: 'DENIED', message }] }), 'a blob')
const broken = (code: string) => unreachable(url, new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) }))

describe('a failed task says what to look at', () => {
  it.each([
    ['a login that is refused', answered(401), /Enter them anew/],
    ['a right that is missing', answered(403), /right to pull at a source and to push at a destination/],
    ['a quota that is used up', answered(403, 'adding 5 MiB will exceed the storage quota'), /raise its quota/],
    ['a rule of the destination', answered(412), /immutable tags/],
    ['too many requests', answered(429), /limits how often/],
    ['a fault there', answered(500), /look into its logs/],
    ['a layer too large', answered(413), /copy by chunk/],
    ['a name nobody knows', broken('ENOTFOUND'), /DNS/],
    ['a certificate nobody trusts', broken('DEPTH_ZERO_SELF_SIGNED_CERT'), /CA certificate/],
    ['a port where nobody listens', broken('ECONNREFUSED'), /look at the port/],
    ['a line that broke', broken('ECONNRESET'), /can be reached from here/],
    ['a blob that is missing', new RegistryError('MANIFEST_BLOB_UNKNOWN', 'The source has no blob.'), /push the artifact there again/],
    ['a rule of the project here', new RegistryError('DENIED', 'The tag is immutable.', { tag: 'v1' }), /what the project here allows/],
  ])('%s', (_what, error, sentence) => {
    expect(advice(error)).toMatch(sentence)
  })

  it('and what the other registry answered', () => {
    expect(statusOf(answered(401))).toBe(401)
    expect(statusOf(broken('ECONNRESET'))).toBeUndefined()
  })
})
