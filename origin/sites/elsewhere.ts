import { SITES } from '../../mesh/sites.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import type { Standing } from './standing.ts'

const MESH_ROOT = '/api/atoll/v1/mesh/'
/** What is answered in whatever state a site is: between the two, for whoever steers them, and for whoever asks how it is. */
const ALWAYS: readonly string[] = [SITES.root, '/api/atoll/v1/dr', '/livez', '/readyz', '/metrics', '/.well-known/']

/** Why this path is answered by the other site only; undefined: it is answered here. */
export function elsewhere(standing: Standing, path: string): RegistryError | undefined {
  const { role, peer } = standing
  if (role === 'alone' || role === 'primary' || peer === undefined) return undefined
  if (ALWAYS.some((root) => path.startsWith(root))) return undefined
  if (!path.startsWith(MESH_ROOT)) return standing.reading()
  // Edges follow the primary, and nobody else's word counts for them.
  return new RegistryError(
    'UNAVAILABLE',
    `This site is not the primary: ${peer.name} is, at ${peer.url}.`,
    { primary: peer.url },
    { headers: { 'Retry-After': '2' } },
  )
}
