import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const CLI = fileURLToPath(new URL('../atoll', import.meta.url))

/** An origin of its own, as a person would start it, with nothing of this one but what `env` says. */
export function startDrillProcess(folder: string, env: Readonly<Record<string, string>>): ChildProcess {
  return spawn(CLI, ['serve', '--role', 'origin'], { cwd: folder, env: { PATH: process.env.PATH ?? '', HOME: folder, ...env }, stdio: 'ignore' })
}
