import { lookup as resolve } from 'node:dns'
import { lookup as resolveAll } from 'node:dns/promises'
import { BlockList, isIP, type LookupFunction } from 'node:net'

/** What belongs to no public host (IANA special-purpose registries), with what IPv6 wraps an IPv4 address in. */
const PRIVATE_V4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]
/** Public IPv6 addresses are of 2000::/3; of those, these are not. */
const PRIVATE_V6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']

/** An address that may not be asked. The message is for whoever named the host. */
export class PrivateAddress extends Error {
  override readonly name = 'PrivateAddress'
}

/** Which addresses a URL of a user's may lead to: public ones, and private networks that an administrator has allowed. */
export class ReachableNetworks {
  readonly #private = blockList([...PRIVATE_V4, ...PRIVATE_V6])
  readonly #global = blockList(['2000::/3'])
  readonly #allowed: BlockList

  constructor(allowed: readonly string[]) {
    this.#allowed = blockList(allowed)
  }

  /** @throws PrivateAddress */
  check(address: string): void {
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (this.#allowed.check(address, family)) return
    if (family === 'ipv6' && !this.#global.check(address, family)) throw refused(address)
    if (this.#private.check(address, family)) throw refused(address)
  }

  /** For a host written as an address, which is never looked up. @throws PrivateAddress */
  checkHost(hostname: string): void {
    const bare = hostname.replace(/^\[|\]$/g, '')
    if (isIP(bare) !== 0) this.check(bare)
  }

  /** For a name that somebody else will look up. @throws PrivateAddress, and the resolver's error */
  async checkName(hostname: string): Promise<void> {
    if (isIP(hostname.replace(/^\[|\]$/g, '')) !== 0) return
    for (const { address } of await resolveAll(hostname, { all: true })) this.check(address)
  }

  /** Looks a name up, and hands out only addresses that may be asked: what is connected to is what was checked. */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) {
        callback(error, '', 0)
        return
      }
      try {
        for (const { address } of addresses) this.check(address)
      } catch (refusal) {
        callback(refusal as PrivateAddress, '', 0)
        return
      }
      const [first] = addresses
      if (options.all === true) callback(null, addresses)
      else callback(null, first?.address ?? '', first?.family ?? 0)
    })
  }
}

/** Looks a name up, and leaves out addresses of this wire alone, where clouds keep the credentials of their machines: a name is no reason to go there. */
export const lookupBeyondLink: LookupFunction = (hostname, options, callback) => {
  resolve(hostname, { ...options, all: true }, (error, addresses) => {
    const beyond = error ? [] : addresses.filter(({ address }) => !LINK_LOCAL.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4'))
    const [first] = beyond
    if (error) callback(error, '', 0)
    else if (first === undefined)
      callback(new PrivateAddress(`${hostname} leads to link-local addresses alone, which are never asked by a name.`), '', 0)
    else if (options.all === true) callback(null, beyond)
    else callback(null, first.address, first.family)
  })
}

const LINK_LOCAL = blockList(['169.254.0.0/16', 'fe80::/10', 'fd00:ec2::254'])

function refused(address: string): PrivateAddress {
  return new PrivateAddress(`${address} is a private address; an administrator can allow its network by the setting outbound.private_networks.`)
}

function blockList(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', prefix] = network.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    list.addSubnet(address, Number(prefix ?? (family === 'ipv6' ? 128 : 32)), family)
  }
  return list
}
