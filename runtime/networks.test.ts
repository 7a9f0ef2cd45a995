import { expect, it } from 'vitest'
import { Networks } from './networks.ts'

it('an address belongs to the smallest network that has it', () => {
  const networks = new Networks(['10.0.0.0/8=eu', ' 10.1.0.0/16=fra-1', '10.1.2.3=desk', 'fd00::/8=lab'])
  expect(['10.2.0.1', '10.1.0.1', '10.1.2.3', 'fd00::1', '192.0.2.1', '2001:db8::1', 'unknown'].map((address) => networks.of(address))).toEqual([
    'eu',
    'fra-1',
    'desk',
    'lab',
    undefined,
    undefined,
    undefined,
  ])
})

it('what names no network is refused', () => {
  for (const pair of ['10.0.0.0/8', '10.0.0.0/33=a', 'fra-1=10.0.0.0/8', '=a', '']) expect(() => new Networks([pair]), pair).toThrow(TypeError)
})
