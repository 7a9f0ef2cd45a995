import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect } from 'vitest'
import { EXIT } from '../../cli/exit-codes.ts'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from './atoll.ts'
import { type Outcome, run } from './run.ts'

export const CLI = fileURLToPath(new URL('../../cli/atoll', import.meta.url))

let atoll: AtollProcess
let home: string

/** Starts an origin for the tests of this file, and an empty home for who types. */
export function startOriginForCli(): void {
  beforeAll(async () => {
    atoll = await startAtoll({ role: 'origin' })
    home = await mkdtemp(join(tmpdir(), 'atoll-cli-'))
  }, 60_000)
  afterAll(async () => {
    await atoll?.[Symbol.asyncDispose]()
    await rm(home, { recursive: true, force: true })
  })
}

/** The origin, and the home. */
export const here = (): { readonly atoll: AtollProcess; readonly home: string } => ({ atoll, home })

interface Call {
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  readonly code?: number
}

/** What a command of the administrator knows. */
export const environment = () => ({
  HOME: home,
  ATOLL_SERVER: `http://${atoll.origin}`,
  ATOLL_USERNAME: 'admin',
  ATOLL_PASSWORD: ADMIN_PASSWORD,
})

/** Runs a command as the administrator; throws with all it said unless it ends with `code`. */
export async function cli(args: string, { input, env, code = EXIT.ok }: Call = {}): Promise<Outcome> {
  const outcome = await run(CLI, args.split(' ').filter(Boolean), {
    cwd: home,
    env: { ...environment(), ...env },
    ...(input !== undefined && { input }),
  })
  expect({ args, code: outcome.code, said: outcome.code === code ? '' : `${outcome.stdout}${outcome.stderr}` }).toEqual({ args, code, said: '' })
  if (args.includes('--json') && code === EXIT.ok) expect(() => JSON.parse(outcome.stdout), outcome.stdout).not.toThrow()
  return outcome
}

export async function json<T>(args: string, call: Call = {}): Promise<T> {
  return JSON.parse((await cli(`${args} --json`, call)).stdout) as T
}

/** The table of a list, and its JSON, hold the same names. */
export async function expectListed(args: string, names: readonly string[], key = 'name'): Promise<void> {
  const rows = await json<Record<string, unknown>[]>(args)
  expect(rows.map((row) => String(row[key]))).toEqual(expect.arrayContaining([...names]))
  const { stdout } = await cli(args)
  for (const row of rows) expect(stdout).toContain(String(row[key]))
  expect(stdout.trim().split('\n')).toHaveLength(rows.length + 1)
}

export function v2(path: string, username: string, password: string): Promise<Response> {
  return fetch(`http://${atoll.origin}/v2/${path}`, {
    headers: { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` },
  })
}
