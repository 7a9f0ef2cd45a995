import { generic } from './generic.ts'
import type { Vendor } from './vendor.ts'

const FRONTS: ReadonlySet<string> = new Set(['docker.io', 'www.docker.io', 'index.docker.io', 'hub.docker.com', 'registry.hub.docker.com'])

/** Docker Hub: its registry is at another host than its name, and what has no namespace is in `library`. */
export const dockerHub: Vendor = {
  ...generic,
  type: 'docker-hub',
  base: (typed) => (FRONTS.has(typed.host) ? new URL('https://registry-1.docker.io') : typed),
  repository: (name) => (name.includes('/') ? name : `library/${name}`),
  tokenHosts: ['auth.docker.io'],
}
