import { channel } from 'node:diagnostics_channel'
import type { Steps } from '../registry/steps.ts'

/** Where this process tells of its steps: whoever is loaded into it may subscribe. */
export const STEPS_CHANNEL = 'atoll:steps'

/** Tells of steps on a channel of this process (node:diagnostics_channel). */
export function publishSteps(): Steps {
  const steps = channel(STEPS_CHANNEL)
  return (name) => steps.publish(name)
}
