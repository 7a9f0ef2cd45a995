import { environmentName, type Settings } from './define.ts'
import { unknownName } from './nearest.ts'

export type Environment = Readonly<Record<string, string | undefined>>

const PREFIX = 'ATOLL_'

/**
 * What Kubernetes puts into every container about the services beside it, and for one that is called `atoll` with our own prefix:
 * ATOLL_SERVICE_HOST, ATOLL_PORT_8080_TCP_ADDR; and for `atoll-edge`, ATOLL_EDGE_PORT with an address where we read a port.
 */
const OF_KUBERNETES = /_SERVICE_HOST$|_SERVICE_PORT(_[A-Z0-9_]+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/
const ADDRESS_OF_KUBERNETES = /^(tcp|udp|sctp):\/\//

/** The value of a setting in the environment; undefined: it has none there, or an empty one. */
export function fromEnvironment(env: Environment, key: string): string | undefined {
  const name = environmentName(key)
  const value = env[name]
  return value === undefined || value === '' || isOfKubernetes(name, value) ? undefined : value
}

/** A sentence for each variable that has our prefix and is nobody's: neither a setting nor one of `others`. */
export function unknownVariables(settings: Settings, env: Environment, others: readonly string[]): string[] {
  const names = [...Object.keys(settings).map(environmentName), ...others]
  const known = new Set(names)
  return Object.entries(env)
    .filter(([name, value]) => name.startsWith(PREFIX) && !known.has(name) && value !== undefined && !isOfKubernetes(name, value))
    .map(([name]) => unknownName(name, names))
}

function isOfKubernetes(name: string, value: string): boolean {
  return OF_KUBERNETES.test(name) || (name.endsWith('_PORT') && ADDRESS_OF_KUBERNETES.test(value))
}
