import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { isNetwork, TrustedProxies } from './proxies.ts'

function seen(networks: readonly string[], peer: string, headers: Record<string, string>) {
  const socket = new Socket()
  Object.defineProperty(socket, 'remoteAddress', { value: peer })
  const incoming = new IncomingMessage(socket)
  const sent = { host: 'inner:8080', ...headers }
  Object.assign(incoming.headers, sent)
  incoming.rawHeaders.push(...Object.entries(sent).flat())
  const sighting = new TrustedProxies(networks).sighting(incoming, 'http')
  expect(incoming.rawHeaders).toEqual(['host', incoming.headers.host])
  return { ...sighting, headers: incoming.headers }
}

const SAYS = { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'registry.example.com' }

describe('what a request says of its way', () => {
  it('is believed of nobody by default, and heard by nobody', () => {
    expect(seen([], '10.0.0.1', SAYS)).toEqual({ scheme: 'http', address: '10.0.0.1', believed: false, headers: { host: 'inner:8080' } })
    expect(seen(['192.0.2.0/24'], '10.0.0.1', SAYS)).toEqual({
      scheme: 'http',
      address: '10.0.0.1',
      believed: false,
      headers: { host: 'inner:8080' },
    })
  })

  it('is believed of our proxies', () => {
    const expected = { scheme: 'https', address: '203.0.113.9', believed: true, headers: { host: 'registry.example.com' } }
    expect(seen(['10.0.0.0/8'], '10.0.0.1', SAYS)).toEqual(expected)
    expect(seen(['10.0.0.0/8'], '::ffff:10.0.0.1', SAYS)).toEqual(expected)
    expect(seen(['fd00::/8'], 'fd00::1', SAYS)).toEqual(expected)
  })

  it('is believed as far as our proxies wrote it', () => {
    const from = (chain: string) => seen(['10.0.0.0/8'], '10.0.0.1', { 'x-forwarded-for': chain }).address
    expect(from('192.0.2.66, 203.0.113.9, 10.0.0.2')).toBe('203.0.113.9')
    expect(from('10.0.0.3, 10.0.0.2')).toBe('10.0.0.3')
    expect(from('<script>, 10.0.0.2')).toBe('10.0.0.2')
    expect(from('')).toBe('10.0.0.1')
  })

  it('counts networks as such, and nothing else', () => {
    expect(['10.0.0.0/8', '10.0.0.1', '::1', 'fd00::/8'].every(isNetwork)).toBe(true)
    expect(['', 'proxy', '10.0.0.0/33', '10.0.0.0/8/8', '10.0.0.0/x', '*'].some(isNetwork)).toBe(false)
  })
})
