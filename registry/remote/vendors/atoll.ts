import { harbor } from './harbor.ts'
import type { Vendor } from './vendor.ts'

/** Another Atoll site. */
export const atoll: Vendor = { ...harbor, type: 'atoll', deltas: true }
