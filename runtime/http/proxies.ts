import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'

/** Where a request comes from, and how its sender reached us, as far as that can be believed. */
export interface Sighting {
  readonly scheme: 'http' | 'https'
  readonly address: string
  /** Whether one of our proxies has sent it: then the other headers that only a proxy sets can be believed as well. */
  readonly believed: boolean
}

const FORWARDED = ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host'] as const

/**
 * The proxies in front of us. What they say of a request (`X-Forwarded-For`, `-Proto`, `-Host`) counts; what anybody else says so is taken
 * out of the request before somebody believes it.
 */
export class TrustedProxies {
  readonly #list: BlockList | undefined

  /** `networks`: addresses, or networks such as `10.0.0.0/8` and `fd00::/8`. None: nobody is believed. @throws TypeError when one is neither */
  constructor(networks: readonly string[]) {
    if (networks.length === 0) return
    this.#list = new BlockList()
    for (const network of networks) add(this.#list, network)
  }

  /** Reads and clears the headers of `incoming`; afterwards its `host` is the one that its sender meant. */
  sighting(incoming: IncomingMessage, scheme: 'http' | 'https'): Sighting {
    const { headers } = incoming
    const peer = plain(incoming.socket.remoteAddress ?? '')
    const seen = this.#trusts(peer) ? this.#believed(headers, { scheme, address: peer, believed: true }) : { scheme, address: peer, believed: false }
    if (FORWARDED.some((name) => headers[name] !== undefined)) clear(incoming)
    return seen
  }

  #believed(headers: IncomingHttpHeaders, { scheme, address }: Sighting): Sighting {
    const host = last(headers['x-forwarded-host'])
    if (host !== undefined) headers.host = host
    const proto = last(headers['x-forwarded-proto'])
    return {
      scheme: proto === 'https' || proto === 'http' ? proto : scheme,
      address: this.#client(String(headers['x-forwarded-for'] ?? ''), address),
      believed: true,
    }
  }

  /** From the nearest on, the first that is none of our proxies: what stands before it anybody may have written. */
  #client(chain: string, peer: string): string {
    let client = peer
    for (const hop of chain.split(',').reverse()) {
      const address = plain(hop.trim())
      if (isIP(address) === 0) return client
      client = address
      if (!this.#trusts(address)) return client
    }
    return client
  }

  #trusts(address: string): boolean {
    const version = isIP(address)
    return this.#list !== undefined && version !== 0 && this.#list.check(address, version === 6 ? 'ipv6' : 'ipv4')
  }
}

/** Both forms in which Node has the headers. */
function clear({ headers, rawHeaders }: IncomingMessage): void {
  for (const name of FORWARDED) delete headers[name]
  const kept: string[] = []
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = rawHeaders.slice(at, at + 2)
    const lower = name.toLowerCase()
    if (!FORWARDED.some((other) => other === lower)) kept.push(name, lower === 'host' ? (headers.host ?? value) : value)
  }
  rawHeaders.splice(0, rawHeaders.length, ...kept)
}

/** Whether this is an address or a network. */
export function isNetwork(text: string): boolean {
  try {
    add(new BlockList(), text)
    return true
  } catch {
    return false
  }
}

function add(list: BlockList, network: string): void {
  const [address = '', prefix, ...more] = network.split('/')
  const version = isIP(address)
  const bits = version === 6 ? 128 : 32
  const length = prefix === undefined ? bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN
  if (version === 0 || more.length > 0 || !(length <= bits)) throw new TypeError(`${network} is no address and no network`)
  list.addSubnet(address, length, version === 6 ? 'ipv6' : 'ipv4')
}

/** An IPv4 address that came over an IPv6 socket is that address. */
function plain(address: string): string {
  return address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address
}

function last(value: string | string[] | undefined): string | undefined {
  return (
    String(value ?? '')
      .split(',')
      .at(-1)
      ?.trim() || undefined
  )
}
