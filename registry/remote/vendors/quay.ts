import { generic } from './generic.ts'
import type { Vendor } from './vendor.ts'

/** Quay, at quay.io and at home. */
export const quay: Vendor = {
  ...generic,
  type: 'quay',
  base: (typed) => (typed.host === 'www.quay.io' || typed.host === 'cdn.quay.io' ? new URL('https://quay.io') : typed),
}
