import type { Platform } from '../../registry/spec/descriptors.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { isPlatform } from '../../registry/spec/platforms.ts'
import type { ReplicationFilter } from '../../schema/replication.ts'

/** `linux/arm64`, `linux/arm64/v8` */
const PLATFORM = /^[a-z0-9]+\/[a-z0-9_]+(?:\/[a-z0-9.]+)?$/

/** Which parts of an index a rule copies. */
export interface Platforms {
  readonly wants: (platform: Platform) => boolean
  /** The same for all rules that copy the same parts, for what is remembered of a copy. */
  readonly text: string
}

/**
 * What the platform filters let through; undefined: there are none, and everything is copied. A platform without a variant stands for all of its
 * variants. @throws RegistryError NAME_INVALID for a value that names none
 */
export function platformsOf(filters: readonly ReplicationFilter[]): Platforms | undefined {
  const tests = filters
    .filter(({ type, value }) => type === 'platform' && value !== '' && !(Array.isArray(value) && value.length === 0))
    .map(({ value, decoration }) => ({ names: namesIn(value), excludes: decoration === 'excludes' }))
  if (tests.length === 0) return undefined
  return {
    wants: (platform) => tests.every(({ names, excludes }) => names.some((name) => isPlatform(platform, name)) !== excludes),
    text: tests
      .map(({ names, excludes }) => (excludes ? '!' : '') + names.join(','))
      .sort()
      .join(' '),
  }
}

function namesIn(value: unknown): readonly string[] {
  const names = typeof value === 'string' ? [value] : value
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string' && PLATFORM.test(name)))
    throw new RegistryError(
      'NAME_INVALID',
      'The platform filter needs platforms as its value, such as linux/amd64 or ["linux/amd64", "linux/arm64"].',
    )
  return [...new Set<string>(names)].sort()
}
