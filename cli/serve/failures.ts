import { EnrolmentRefused } from '../../edge/enrolment.ts'
import { RegistryError } from '../../registry/spec/errors.ts'
import { environmentName } from '../../runtime/settings/define.ts'
import { SettingsError } from '../../runtime/settings/read.ts'
import { CliError, EXIT } from '../exit-codes.ts'
import type { Config, ReadConfig } from './config.ts'

const PORTS = ['http.port', 'https.port', 'metric.port', 'edge.port'] as const

/** What a person can do about it when something does not start. Anything else is passed on as it is. */
export function startFailure(error: unknown, read?: Pick<ReadConfig, 'config' | 'given'>): unknown {
  if (error instanceof SettingsError) return new CliError(error.problems.map((problem) => placed(problem, read?.given)).join('\n'), EXIT.usage, error)
  if (error instanceof EnrolmentRefused) return new CliError(error.message, EXIT.denied, error)
  if (error instanceof RegistryError) return new CliError(error.message, error.code === 'UNAVAILABLE' ? EXIT.unreachable : EXIT.failed, error)
  return isOfListening(error) ? listenFailure(error, read?.config) : error
}

/** What is found wrong with a setting only when it is used has its line, too. */
function placed(problem: string, given: ReadonlyMap<string, string> | undefined): string {
  const [, key = ''] = /^([\w.]+):? /.exec(problem) ?? []
  const from = given?.get(key)
  return from?.includes(':') ? `${from}: ${problem}` : problem
}

interface ListenError extends Error {
  readonly code: string
  readonly address: string
  readonly port: number
}

function isOfListening(error: unknown): error is ListenError {
  return error instanceof Error && 'syscall' in error && error.syscall === 'listen' && 'port' in error && 'address' in error
}

function listenFailure(error: ListenError, config: Config | undefined): CliError {
  const setting = PORTS.find((key) => config?.[key] === error.port)
  const choose = setting === undefined ? '' : ` Choose another with ${setting} (${environmentName(setting)}).`
  const at = `${error.address}:${error.port}`
  if (error.code === 'EADDRINUSE')
    return new CliError(`Port ${error.port} is taken: something listens on ${at} already.${choose}`, EXIT.failed, error)
  if (error.code === 'EACCES') return new CliError(`This user may not listen on port ${error.port}.${choose}`, EXIT.failed, error)
  return new CliError(`Cannot listen on ${at} (${error.code}): is that an address of this machine?`, EXIT.usage, error)
}
