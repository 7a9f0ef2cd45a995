import type { Kind } from './define.ts'

const BYTES = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 } as const

/** An amount of bytes such as `512M` or `20G` (KiB, MiB, GiB, TiB); a bare number is bytes. */
export const bytes: Kind<number> = {
  expected: 'an amount of bytes such as 512M or 20G',
  read: (value) => {
    const match = /^(\d{1,15})([KMGT]?)(?:i?B)?$/.exec(String(value))
    if (match?.[1] === undefined) return undefined
    const amount = Number(match[1]) * BYTES[match[2] as keyof typeof BYTES]
    return Number.isSafeInteger(amount) ? amount : undefined
  },
}
