// Loaded into a process before everything else (NODE_OPTIONS=--import). When the process comes to the step that the file STOP_AT_FILE names, it
// takes the file away and sends itself the signal that the file names behind it: SIGKILL, or SIGSTOP to be held there.

import { subscribe } from 'node:diagnostics_channel'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { STEPS_CHANNEL } from '../../runtime/observe/steps.ts'

const file = process.env.STOP_AT_FILE
if (file !== undefined) {
  subscribe(STEPS_CHANNEL, (step) => {
    if (!existsSync(file)) return
    const [wanted, signal] = readFileSync(file, 'utf8').split('\n')
    if (step !== wanted) return
    rmSync(file)
    process.kill(process.pid, signal)
  })
}
