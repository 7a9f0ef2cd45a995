import { harbor, harborProjects } from './harbor.ts'
import type { Vendor } from './vendor.ts'

/** Another Atoll site. Unlike Harbor, it takes a tag away as the specification says. */
export const atoll: Vendor = { ...harbor, type: 'atoll', open: harborProjects, deltas: true }
