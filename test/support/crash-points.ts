import { existsSync } from 'node:fs'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { until } from './until.ts'

const PRELOADED = fileURLToPath(new URL('crash-point.ts', import.meta.url))

/** Ends one process by SIGKILL at the steps that a test names. */
export interface CrashPoints extends AsyncDisposable {
  /** For the process. */
  readonly env: Readonly<Record<string, string>>
  /** It dies at this step, the n-th time from now. */
  arm(step: string, nth?: number): Promise<void>
  /** Resolves when it has come there. */
  met(): Promise<void>
}

export async function crashPoints(deadlineMs = 60_000): Promise<CrashPoints> {
  const folder = await mkdtemp(join(tmpdir(), 'atoll-crash-'))
  const file = join(folder, 'step')
  let armed = ''
  return {
    env: { CRASH_POINT_FILE: file, NODE_OPTIONS: `--import=${PRELOADED}` },
    arm: async (step, nth = 1) => {
      armed = step
      await writeFile(`${file}.new`, `${step} ${nth}`)
      await rename(`${file}.new`, file)
    },
    met: () => until(`the process is killed at the step "${armed}"`, () => !existsSync(file), deadlineMs),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}
