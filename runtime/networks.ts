import { BlockList, isIP } from 'node:net'

/** What is meant for addresses by the networks that they are in; the smallest network counts. */
export class Networks {
  readonly #networks: readonly { readonly list: BlockList; readonly length: number; readonly meaning: string }[]

  /** Pairs such as `10.0.0.0/8=fra-1` and `fd00::/8=eu`. @throws TypeError when one is none */
  constructor(pairs: readonly string[]) {
    this.#networks = pairs.map(network).sort((a, b) => b.length - a.length)
  }

  of(address: string): string | undefined {
    const version = isIP(address)
    if (version === 0) return undefined
    return this.#networks.find(({ list }) => list.check(address, version === 6 ? 'ipv6' : 'ipv4'))?.meaning
  }
}

function network(pair: string) {
  const [, address = '', prefix, meaning = ''] = /^([^/=]+)(?:\/(\d{1,3}))?=(.+)$/.exec(pair.trim()) ?? []
  const version = isIP(address)
  const bits = version === 6 ? 128 : 32
  const length = prefix === undefined ? bits : Number(prefix)
  if (version === 0 || length > bits) throw new TypeError(`${pair} is not as 10.0.0.0/8=fra-1`)
  const list = new BlockList()
  list.addSubnet(address, length, version === 6 ? 'ipv6' : 'ipv4')
  return { list, length: version === 6 ? length : length + 96, meaning: meaning.trim() }
}
