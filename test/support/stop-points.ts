import { existsSync } from 'node:fs'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { until } from './until.ts'

const PRELOADED = fileURLToPath(new URL('stop-point.ts', import.meta.url))

/** Stops one process at the steps that a test names. */
export interface StopPoints extends AsyncDisposable {
  /** For the process. */
  readonly env: Readonly<Record<string, string>>
  /** At this step, the n-th time from now: it is killed, or held until it is sent SIGCONT. */
  arm(step: string, options?: { readonly nth?: number | undefined; readonly signal?: 'SIGKILL' | 'SIGSTOP' }): Promise<void>
  /** Resolves when it has come there. */
  met(): Promise<void>
}

/** `preloaded`: what else is loaded into the process first. */
export async function stopPoints(preloaded: readonly string[] = [], deadlineMs = 60_000): Promise<StopPoints> {
  const folder = await mkdtemp(join(tmpdir(), 'atoll-stops-'))
  const file = join(folder, 'step')
  let armed = ''
  return {
    env: { STOP_POINT_FILE: file, NODE_OPTIONS: [...preloaded, PRELOADED].map((module) => `--import=${module}`).join(' ') },
    arm: async (step, { nth = 1, signal = 'SIGKILL' } = {}) => {
      armed = step
      await writeFile(`${file}.new`, `${signal} ${nth} ${step}`)
      await rename(`${file}.new`, file)
    },
    met: () => until(`the process has come to the step "${armed}"`, () => !existsSync(file), deadlineMs),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}
