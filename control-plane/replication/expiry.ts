import { RegistryError } from '../../registry/spec/errors.ts'
import type { Endpoint } from '../../schema/endpoints.ts'

/** What to say of an endpoint whose time is over; undefined: it is not. `now` is milliseconds since the epoch. */
export function expiryOf({ name, expiresAt }: Pick<Endpoint, 'name' | 'expiresAt'>, now: number): string | undefined {
  if (expiresAt === null || expiresAt > now) return undefined
  return `${name} was to be used until ${new Date(expiresAt).toISOString()}, and nothing is sent there since. Set a new end when there is one.`
}

/** @throws RegistryError DENIED */
export function refuseExpired(endpoint: Pick<Endpoint, 'name' | 'expiresAt'>, now: number): void {
  const expired = expiryOf(endpoint, now)
  if (expired !== undefined) throw new RegistryError('DENIED', expired)
}
