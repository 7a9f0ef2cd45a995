import pino from 'pino'
import { redacted } from './redact.ts'

/** Writes a line of JSON for each event. Pass facts as the first argument and a short sentence as the second; never a secret as either. */
export type Log = pino.Logger

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Lines are written together when there are so many bytes of them, or after so many milliseconds, and at the end of the process. */
const WRITE_TOGETHER = { minLength: 4 * 1024, periodicFlush: 100 } as const
/** When nobody reads our output, lines above this many bytes are dropped: the log must not take the memory. */
const WAITING_LIMIT = 4 * 1024 * 1024

export interface LogOptions {
  readonly level: LogLevel
  /** Where lines go; standard output when absent. */
  readonly destination?: { write(line: string): void }
}

export function createLogger({ level, destination }: LogOptions): Log {
  const serializeError = (error: Error) => redacted(pino.stdSerializers.err(error))
  const options: pino.LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }), log: redacted },
    serializers: { err: serializeError, error: serializeError },
  }
  return pino(options, destination ?? pino.destination({ dest: 1, sync: false, maxLength: WAITING_LIMIT, ...WRITE_TOGETHER }))
}
