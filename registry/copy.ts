export { copy } from './copy/copy.ts'
export type { CopyOptions, CopyProgress, CopyReport, ResumeKey, ResumeStore } from './copy/options.ts'
export { type Settled, settleDeletion, settleTag } from './copy/settle.ts'
