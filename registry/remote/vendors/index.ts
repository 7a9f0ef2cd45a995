import { atoll } from './atoll.ts'
import { awsEcr } from './aws-ecr.ts'
import { azureAcr } from './azure-acr.ts'
import { dockerHub } from './docker-hub.ts'
import { dtr } from './dtr.ts'
import { generic } from './generic.ts'
import { googleGar, googleGcr } from './google.ts'
import { harbor } from './harbor.ts'
import { quay } from './quay.ts'
import { githubGhcr, gitlab, ocir } from './unlisted.ts'
import type { Vendor } from './vendor.ts'

const VENDORS = [atoll, awsEcr, azureAcr, dockerHub, dtr, generic, githubGhcr, gitlab, googleGar, googleGcr, harbor, ocir, quay]
const BY_TYPE: ReadonlyMap<string, Vendor> = new Map(VENDORS.map((vendor) => [vendor.type, vendor]))

/** The differences of an endpoint of this type. A type without any is taken as generic. */
export function vendorOf(type: string): Vendor {
  return BY_TYPE.get(type) ?? generic
}
