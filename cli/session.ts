import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { CliError, EXIT } from './exit-codes.ts'

/** Which origin the command line talks to, and as whom. */
export interface Session {
  readonly url: string
  readonly username?: string
  readonly password?: string
}

export interface SessionOverrides {
  readonly server?: string
  readonly username?: string
  readonly password?: string
}

/** The environment of every command but `serve`, which leaves them alone. */
export const SESSION_VARIABLES = ['ATOLL_SERVER', 'ATOLL_USERNAME', 'ATOLL_PASSWORD'] as const

const DEFAULT_URL = 'http://127.0.0.1:8080'

export function sessionFile(env: NodeJS.ProcessEnv): string {
  const { XDG_CONFIG_HOME: configured = '', HOME: home } = env
  // An empty or relative value counts as none (XDG Base Directory Specification).
  return join(isAbsolute(configured) ? configured : join(home || userInfo().homedir, '.config'), 'atoll', 'session.json')
}

/**
 * From strongest to weakest: options, ATOLL_SERVER / ATOLL_USERNAME / ATOLL_PASSWORD, what `atoll login` kept, the default address.
 * A kept password is never sent to another server than the one it was kept for.
 */
export async function readSession(env: NodeJS.ProcessEnv, options: SessionOverrides): Promise<Session> {
  const kept = await readKept(sessionFile(env))
  const url = normalise(options.server ?? env.ATOLL_SERVER ?? kept?.url ?? DEFAULT_URL)
  const same = kept?.url === url
  const username = options.username ?? env.ATOLL_USERNAME ?? (same ? kept.username : undefined)
  const password = options.password ?? env.ATOLL_PASSWORD ?? (same && username === kept.username ? kept.password : undefined)
  return { url, ...(username !== undefined && { username }), ...(password !== undefined && { password }) }
}

export async function keepSession(env: NodeJS.ProcessEnv, session: Session): Promise<string> {
  const file = sessionFile(env)
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const fresh = `${file}.${process.pid}`
  await writeFile(fresh, `${JSON.stringify(session, undefined, 2)}\n`, { mode: 0o600 })
  await chmod(fresh, 0o600)
  await rename(fresh, file)
  return file
}

export async function forgetSession(env: NodeJS.ProcessEnv): Promise<void> {
  await rm(sessionFile(env), { force: true })
}

async function readKept(file: string): Promise<Session | undefined> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw new CliError(`${file} cannot be read: ${error instanceof Error ? error.message : error}`, EXIT.usage, error)
  }
  try {
    return JSON.parse(text) as Session
  } catch (error) {
    throw new CliError(`${file} is damaged; run \`atoll login\` again.`, EXIT.usage, error)
  }
}

function normalise(url: string): string {
  const text = /^https?:\/\//.test(url) ? url : `http://${url}`
  if (!URL.canParse(text)) throw new CliError(`${url} is no address; give one like https://registry.example.com.`, EXIT.usage)
  return new URL(text).origin
}
