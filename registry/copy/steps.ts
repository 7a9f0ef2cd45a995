/** Where a copy is, each step just done and the next not begun. Whoever listens may end the process there, to see that nothing is lost. */
export const COPY_STEPS = [
  'tag read',
  'manifest read',
  'upload begun',
  'upload remembered',
  'bytes moving',
  'bytes appended',
  'blob finished',
  'upload forgotten',
  'blob mounted',
  'manifest put',
  'referrer copied',
  'tag put',
] as const

export type CopyStep = (typeof COPY_STEPS)[number]
