// Loaded into a process before everything else (NODE_OPTIONS=--import): at the step that the file STOP_POINT_FILE names it sends itself a signal, the
// n-th time that it comes there from when the file was written: `SIGKILL 2 mirror: page stored`. The file goes first, so the next run gets by.

import { subscribe } from 'node:diagnostics_channel'
import { readFileSync, rmSync } from 'node:fs'
import { STEPS_CHANNEL } from '../../runtime/observe/steps.ts'

const file = process.env.STOP_POINT_FILE
if (file !== undefined) {
  const seen = new Map<string, number>()
  subscribe(STEPS_CHANNEL, (step) => {
    const [, signal, nth, wanted] = read(file)?.match(/^(\w+) (\d+) (.*)$/) ?? []
    if (wanted === undefined) return seen.clear()
    const count = (seen.get(String(step)) ?? 0) + 1
    seen.set(String(step), count)
    if (wanted !== step || Number(nth) !== count) return
    rmSync(file)
    process.kill(process.pid, signal)
  })
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
