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

/** What is kept: the server of the last login, which is the default, and those of logins before. */
interface Kept extends Session {
  readonly others?: readonly Session[]
}

/** Logins kept besides the last. */
const OTHERS = 31

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
  const same = sessionsIn(kept).find((session) => session.url === url)
  const username = options.username ?? env.ATOLL_USERNAME ?? same?.username
  const password = options.password ?? env.ATOLL_PASSWORD ?? (username === same?.username ? same?.password : undefined)
  return { url, ...(username !== undefined && { username }), ...(password !== undefined && { password }) }
}

export async function keepSession(env: NodeJS.ProcessEnv, session: Session): Promise<string> {
  const file = sessionFile(env)
  const others = sessionsIn(await readKept(file)).filter(({ url }) => url !== session.url)
  await write(file, { ...session, ...(others.length > 0 && { others: others.slice(0, OTHERS) }) })
  return file
}

/** Forgets the login at `url`; at every server when absent. */
export async function forgetSession(env: NodeJS.ProcessEnv, url: string | undefined): Promise<void> {
  const file = sessionFile(env)
  const [last, ...others] = url === undefined ? [] : sessionsIn(await readKept(file)).filter((session) => session.url !== normalise(url))
  if (last === undefined) await rm(file, { force: true })
  else await write(file, { ...last, ...(others.length > 0 && { others }) })
}

function sessionsIn(kept: Kept | undefined): readonly Session[] {
  if (kept === undefined) return []
  const { others = [], ...last } = kept
  return [last, ...others]
}

async function write(file: string, kept: Kept): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const fresh = `${file}.${process.pid}`
  await writeFile(fresh, `${JSON.stringify(kept, undefined, 2)}\n`, { mode: 0o600 })
  await chmod(fresh, 0o600)
  await rename(fresh, file)
}

async function readKept(file: string): Promise<Kept | undefined> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw new CliError(`${file} cannot be read: ${error instanceof Error ? error.message : error}`, EXIT.usage, error)
  }
  try {
    return JSON.parse(text) as Kept
  } catch (error) {
    throw new CliError(`${file} is damaged; run \`atoll login\` again.`, EXIT.usage, error)
  }
}

function normalise(url: string): string {
  const text = /^https?:\/\//.test(url) ? url : `http://${url}`
  if (!URL.canParse(text)) throw new CliError(`${url} is no address; give one like https://registry.example.com.`, EXIT.usage)
  return new URL(text).origin
}
