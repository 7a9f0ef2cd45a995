export { copy } from './copy/copy.ts'
export type { CopyOptions, CopyProgress, CopyReport, ResumeKey, ResumeStore } from './copy/options.ts'
