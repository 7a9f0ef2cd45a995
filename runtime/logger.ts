import pino from 'pino'

/** Writes a line of JSON for each event. Pass facts as the first argument and a short sentence as the second; never a secret as either. */
export type Log = pino.Logger

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Names of fields that are blacked out wherever a careless line brings them, at the top or one or two levels down. */
const SECRET_FIELDS = [
  'password',
  'secret',
  'token',
  'access_token',
  'refresh_token',
  'authorization',
  'Authorization',
  'cookie',
  'proof',
  'credential',
  'privateKey',
  'secret_key',
]

export interface LogOptions {
  readonly level: LogLevel
  /** Where lines go; standard output when absent. */
  readonly destination?: { write(line: string): void }
}

export function createLogger({ level, destination }: LogOptions): Log {
  const options: pino.LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]), censor: '[redacted]' },
  }
  return destination === undefined ? pino(options) : pino(options, destination)
}
