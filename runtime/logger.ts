import pino from 'pino'
import { standardOutput } from './log-lines.ts'
import { redacted } from './redact.ts'

/** Writes a line of JSON for each event. Pass facts as the first argument and a short sentence as the second; never a secret as either. */
export type Log = pino.Logger

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

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
  return pino(options, destination ?? standardOutput())
}
