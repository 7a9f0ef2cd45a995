/** Where a push into a registry of our own is, each step just done and the next not begun. See COPY_STEPS. */
export const PUSH_STEPS = [
  'draft made',
  'session recorded',
  'bytes written',
  'blob reserved',
  'draft committed',
  'blob linked',
  'session ended',
  'manifest stored',
] as const

export type PushStep = (typeof PUSH_STEPS)[number]
