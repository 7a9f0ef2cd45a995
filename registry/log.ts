/** What the rooms need of a logger (pino has this shape). Fields never hold a credential. */
export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  /** Whether such lines are written at all; absent: maybe. For who makes a line for each request. */
  isLevelEnabled?(level: string): boolean
}
