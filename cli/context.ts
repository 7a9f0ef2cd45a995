import { type Command, InvalidArgumentError } from 'commander'
import { type Clock, systemClock } from '../registry/clock.ts'
import { duration } from '../runtime/settings/kinds.ts'
import { Api } from './api.ts'
import { Output } from './output.ts'
import { readSession, type SessionOverrides } from './session.ts'

/** What every command gets besides its own arguments. */
export interface Context {
  readonly api: Api
  readonly out: Output
  readonly env: NodeJS.ProcessEnv
  readonly clock: Clock
}

export async function contextOf(command: Command): Promise<Context> {
  const options = command.optsWithGlobals<SessionOverrides>()
  return { api: new Api(await readSession(process.env, options)), out: outputOf(command), env: process.env, clock: systemClock }
}

export function outputOf(command: Command): Output {
  const json = command.optsWithGlobals<{ json?: boolean }>().json ?? false
  return new Output({ json, stdout: process.stdout, stderr: process.stderr })
}

/** `100GiB`, `5 MB`, `1024`, `-1` (unlimited), in bytes. */
export function parseSize(text: string): number {
  const match = text.trim().match(/^(-1|\d+(?:\.\d+)?)\s*([kmgtp]?)(i?)b?$/i)
  if (!match) throw new InvalidArgumentError('give a size like 100GiB, 500MB, 1048576 or -1 for no limit')
  const power = ' kmgtp'.indexOf((match[2] || ' ').toLowerCase())
  const base = match[2] && !match[3] ? 1000 : 1024
  return Math.round(Number(match[1]) * base ** power)
}

export function parsePositive(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('give a whole number from 1')
  return value
}

const LENGTH_OF_TIME = duration(0, 3650 * 86_400)

/** `90s`, `5m`, `12h`, `1d`; in seconds. */
export function parseTime(text: string): number {
  const seconds = LENGTH_OF_TIME.read(text)
  if (seconds === undefined) throw new InvalidArgumentError('give a time such as 90s, 5m, 12h or 1d')
  return seconds
}

/** Days, retries and the like, from nothing up. */
export function parseCount(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('give a whole number from 0')
  return value
}
