import { atoll } from './atoll.ts'
import { dockerHub } from './docker-hub.ts'
import { generic } from './generic.ts'
import { harbor } from './harbor.ts'
import { quay } from './quay.ts'
import type { Vendor } from './vendor.ts'

const BY_TYPE: ReadonlyMap<string, Vendor> = new Map([atoll, dockerHub, generic, harbor, quay].map((vendor) => [vendor.type, vendor]))

/** The differences of an endpoint of this type. A type without any is taken as generic. */
export function vendorOf(type: string): Vendor {
  return BY_TYPE.get(type) ?? generic
}
