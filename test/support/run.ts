import { spawn } from 'node:child_process'

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  readonly deadlineMs?: number
}

/** Runs a program to its end, or kills it at the deadline. Never throws for what the program answers. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: { PATH: process.env.PATH, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: options.deadlineMs ?? 60_000,
      killSignal: 'SIGKILL',
    })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }))
    child.stdin.on('error', () => undefined)
    child.stdin.end(options.input ?? '')
  })
}

/** As `run`, and throws with everything the program said unless it ended with 0. */
export async function must(command: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const outcome = await run(command, args, options)
  if (outcome.code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${outcome.code}\n${outcome.stdout}\n${outcome.stderr}`)
  return outcome
}
