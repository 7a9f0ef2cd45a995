import { RegistryError } from '../spec/errors.ts'

/** The source's bytes are not what it, or the digest, said: nothing of them may be kept. */
export class Wrong extends Error {
  override readonly name = 'Wrong'
}

/** The source does not have it. */
export class Absent extends Error {
  override readonly name = 'Absent'
}

/** The source sends much more than the range it was asked for. */
export class Unranged extends Error {
  override readonly name = 'Unranged'
}

/** These bytes are to be had elsewhere now. */
export class Moved extends Error {
  override readonly name = 'Moved'
}

/** Nobody wants it any more. */
export class Abandoned extends Error {
  override readonly name = 'Abandoned'
}

export function wrongBytes(source: string, reason: string): RegistryError {
  return new RegistryError(
    'UPSTREAM_INVALID',
    `${source} sends something else than this digest: ${reason.replace(/\.$/, '')}. Nothing of it was kept.`,
    {
      upstream: source,
    },
  )
}

export function sourceFails(source: string, what: string, cause?: unknown): RegistryError {
  return new RegistryError('UNAVAILABLE', `${source} ${what}. Try again later.`, { upstream: source }, { cause })
}

export function tooBusy(): RegistryError {
  return new RegistryError('UNAVAILABLE', 'Too many blobs are being fetched at once. Try again in a moment.', undefined, {
    headers: { 'Retry-After': '5' },
  })
}

export function fellBehind(): RegistryError {
  return new RegistryError(
    'UNAVAILABLE',
    'This blob cannot be stored now and is only passed through, and too many read it at speeds of their own. Try again later.',
  )
}
