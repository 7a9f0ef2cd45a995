import { bytes } from './bytes.ts'
import type { Kind } from './define.ts'

/** So many bytes, or a share of what there is. */
export type Amount = { readonly bytes: number } | { readonly percent: number }

/** An amount of bytes such as `20G`, or a share such as `80%`. */
export const amount: Kind<Amount> = {
  expected: 'an amount such as 512M or 20G, or a share such as 80%',
  read: (value) => {
    const percent = /^(\d{1,3})%$/.exec(String(value))?.[1]
    if (percent !== undefined) return Number(percent) <= 100 ? { percent: Number(percent) } : undefined
    const read = bytes.read(value)
    return read === undefined ? undefined : { bytes: read }
  },
  show: (value) => ('bytes' in value ? String(value.bytes) : `${value.percent}%`),
}
