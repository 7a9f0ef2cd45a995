import { describe, expect, test } from 'vitest'
import { createFetch } from './fetch.ts'
import { lookupBeyondLink, PrivateAddress, ReachableNetworks } from './public-networks.ts'

const PRIVATE = [
  '127.0.0.1',
  '10.1.2.3',
  '172.31.255.255',
  '192.168.0.1',
  '169.254.169.254',
  '100.64.0.1',
  '0.0.0.0',
  '255.255.255.255',
  '224.0.0.1',
  '198.18.0.1',
  '::1',
  '::',
  '::ffff:127.0.0.1',
  '::ffff:a00:1',
  '64:ff9b::7f00:1',
  'fe80::1',
  'fd00::1',
  'ff02::1',
  '2002:7f00:1::',
  '2001:db8::1',
]

describe('networks that URLs of users may lead to', () => {
  test.each(PRIVATE)('%s is none', (address) => {
    expect(() => new ReachableNetworks([]).check(address)).toThrow(PrivateAddress)
  })

  test.each(['1.1.1.1', '8.8.8.8', '172.32.0.1', '2606:4700:4700::1111'])('%s is one', (address) => {
    new ReachableNetworks([]).check(address)
  })

  test('those that an administrator allows, and no more', () => {
    const allowed = new ReachableNetworks(['10.20.0.0/16', '127.0.0.1', 'fd00::/8'])
    for (const address of ['10.20.3.4', '127.0.0.1', 'fd12::1']) allowed.check(address)
    for (const address of ['10.21.0.1', '127.0.0.2', 'fe80::1']) expect(() => allowed.check(address)).toThrow(PrivateAddress)
  })

  // Every way to write 127.0.0.1 that a URL knows, and a name that leads there.
  test.each(['127.0.0.1', '127.1', '2130706433', '0x7f000001', '0177.0.0.1', '[::1]', '[::ffff:127.0.0.1]', 'localhost', 'LOCALHOST'])(
    'http://%s is not connected to',
    async (host) => {
      const error = await createFetch({ reachable: new ReachableNetworks([]) })(`http://${host}:8099/`).then(
        () => undefined,
        (refusal: unknown) => refusal,
      )
      const causes: unknown[] = []
      for (let at = error; at instanceof Error; at = at.cause) causes.push(at)
      expect(causes.some((cause) => cause instanceof PrivateAddress)).toBe(true)
    },
  )
})

test('no name leads to a link-local address, where clouds keep credentials; every other goes on', async () => {
  const found = (hostname: string) =>
    new Promise((resolve) => lookupBeyondLink(hostname, { all: true }, (error, addresses) => resolve(error ?? addresses)))
  for (const address of ['169.254.169.254', 'fe80::1', 'fd00:ec2::254', '::ffff:169.254.169.254'])
    expect(await found(address)).toBeInstanceOf(PrivateAddress)
  expect(await found('10.0.0.1')).toEqual([{ address: '10.0.0.1', family: 4 }])
  expect(await found('localhost')).toContainEqual(expect.objectContaining({ address: expect.stringMatching(/^(127\.0\.0\.1|::1)$/) }))
})
