import type { CopyStep } from '../../registry/copy/steps.ts'

/** Where an execution and its tasks are, beside the copies they are made of. See COPY_STEPS. */
export const TASK_STEPS = [
  'plan begun',
  'tasks added',
  'plan ended',
  'task taken',
  'task begun',
  'project prepared',
  'delivery recorded',
  'result written',
  'execution settled',
] as const

export type ReplicationStep = (typeof TASK_STEPS)[number] | CopyStep
