import { channel } from 'node:diagnostics_channel'

/** Its messages are the names of steps: COPY_STEPS, TASK_STEPS, PUSH_STEPS, and those of a pair of sites. */
export const STEPS_CHANNEL = 'atoll:steps'

const steps = channel(STEPS_CHANNEL)

/** Tells whoever listens in this process where a piece of work is. Nobody does, but for tracers and tests, and then it costs a look. */
export function tellStep(step: string): void {
  if (steps.hasSubscribers) steps.publish(step)
}
