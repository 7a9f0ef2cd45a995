import type { DestinationStream } from 'pino'
import { LOG_LEVELS, type LogLevel } from '../logger.ts'
import { bytes } from './bytes.ts'
import { setting } from './define.ts'
import { choice, integer, optionalText, port } from './kinds.ts'

const level = choice(...LOG_LEVELS)

/** `warning` is Harbor's word. */
export const LOG_LEVEL = setting<LogLevel>(
  { ...level, read: (value) => level.read(value === 'warning' ? 'warn' : value) },
  'info',
  'The least important line that is logged.',
)

/** Where a process writes what it has to say. */
export const LOG_SETTINGS = {
  'log.local.location': setting(optionalText, undefined, 'A folder for the log: `atoll.log` in it. When absent, it goes to standard output.'),
  'log.local.rotate_size': setting(bytes, 200 * 1024 * 1024, 'From how many bytes on a new file is begun.'),
  'log.local.rotate_count': setting(integer(0, 1_000), 50, 'How many old files are kept.'),
  'log.external_endpoint.protocol': setting(choice('tcp', 'udp'), 'tcp', 'How the log goes to a receiver of syslog.'),
  'log.external_endpoint.host': setting(
    optionalText,
    undefined,
    'A receiver of syslog (RFC 5424) that the log goes to as well. What it misses while it is away is not sent again; the audit log is (`audit.syslog.url`).',
  ),
  'log.external_endpoint.port': setting(port, 514, 'Its port.'),
} as const

export interface LogSettings {
  readonly 'log.level': LogLevel
  readonly 'log.local.location': string | undefined
  readonly 'log.local.rotate_size': number
  readonly 'log.local.rotate_count': number
  readonly 'log.external_endpoint.protocol': 'tcp' | 'udp'
  readonly 'log.external_endpoint.host': string | undefined
  readonly 'log.external_endpoint.port': number
}

/** undefined: standard output, and nowhere else. @throws the system's error when the folder cannot be used */
export async function logDestination(config: LogSettings): Promise<DestinationStream | undefined> {
  const { 'log.local.location': folder, 'log.external_endpoint.host': host } = config
  if (folder === undefined && host === undefined) return undefined
  const destinations: DestinationStream[] = []
  if (folder !== undefined) {
    const { logFile } = await import('../log-file.ts')
    destinations.push(logFile({ folder, rotateSize: config['log.local.rotate_size'], rotateCount: config['log.local.rotate_count'] }))
  } else {
    const { standardOutput } = await import('../log-lines.ts')
    destinations.push(standardOutput())
  }
  if (host !== undefined) {
    const { SyslogDestination } = await import('../syslog/destination.ts')
    const { 'log.external_endpoint.protocol': protocol, 'log.external_endpoint.port': at } = config
    destinations.push(new SyslogDestination(new URL(`${protocol}://${host.includes(':') ? `[${host}]` : host}:${at}`)))
  }
  return { write: (line) => destinations.forEach((each) => void each.write(line)) }
}
