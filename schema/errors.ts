import { LibsqlError } from '@libsql/client'
import { DrizzleQueryError } from 'drizzle-orm'
import { RegistryError } from '../registry/spec/errors.ts'

/** There is none of that name or id (404). */
export function notFound(message: string): RegistryError {
  return new RegistryError('NAME_UNKNOWN', message)
}

/** The name is taken (409). */
export function conflict(message: string): RegistryError {
  return new RegistryError('DENIED', message, undefined, { status: 409 })
}

/** It is in use (412). */
export function precondition(message: string): RegistryError {
  return new RegistryError('DENIED', message, undefined, { status: 412 })
}

/** The database cannot take this now (503); nothing of it has happened unless the cause says the commit's answer was lost. */
export function unavailable(message: string, cause?: unknown): RegistryError {
  return new RegistryError('UNAVAILABLE', message, undefined, { headers: { 'Retry-After': '1' }, cause })
}

/** The driver's error. Drizzle's own shows the values of the query, and those are nobody's business in a log. */
export function withoutQuery(error: unknown): unknown {
  return error instanceof DrizzleQueryError ? error.cause : error
}

/** Whether another process holds the lock that was asked for. */
export function isBusy(error: unknown): boolean {
  const inner = withoutQuery(error)
  return inner instanceof LibsqlError && (inner.code === 'SQLITE_BUSY' || inner.code === 'SQLITE_LOCKED')
}

/** Whether the disk of the database is full. */
export function isDatabaseFull(error: unknown): boolean {
  const inner = withoutQuery(error)
  return inner instanceof LibsqlError && FULL.has(inner.code)
}

/** The second: no room for what its processes share. */
const FULL: ReadonlySet<string> = new Set(['SQLITE_FULL', 'SQLITE_IOERR_SHMSIZE'])
