// Loaded into a process before everything else (NODE_OPTIONS=--import): it ends by SIGKILL at the step that the file CRASH_POINT_FILE names, the
// n-th time from when it was written: `mirror: page stored 2`. The file goes first, so the next run gets by.

import { subscribe } from 'node:diagnostics_channel'
import { readFileSync, rmSync } from 'node:fs'
import { STEPS_CHANNEL } from '../../runtime/steps.ts'

const file = process.env.CRASH_POINT_FILE
if (file !== undefined) {
  const seen = new Map<string, number>()
  subscribe(STEPS_CHANNEL, (step) => {
    const wanted = read(file)
    if (wanted === undefined) return seen.clear()
    const count = (seen.get(String(step)) ?? 0) + 1
    seen.set(String(step), count)
    if (wanted !== `${step} ${count}`) return
    rmSync(file)
    process.kill(process.pid, 'SIGKILL')
  })
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
