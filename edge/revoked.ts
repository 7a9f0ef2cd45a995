import { RegistryError } from '../registry/spec/errors.ts'

export const ENROL_AGAIN = 'enrol it again with a new token'

/** The origin has said that this edge is none of its any more: waiting helps nobody. */
export function revokedEdge(cause?: unknown): RegistryError {
  const message = `This edge was revoked at its origin, and serves nothing any more: pull elsewhere, or have its administrator ${ENROL_AGAIN}.`
  return new RegistryError('UNAVAILABLE', message, undefined, { cause })
}
