import type { Vendor } from './vendor.ts'

/** Any registry that keeps to the specification. */
export const generic: Vendor = {
  type: 'docker-registry',
  base: (typed) => typed,
  repository: (name) => name,
  tokenHosts: [],
}
