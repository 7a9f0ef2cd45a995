import type { CopyProgress } from '../../registry/copy/options.ts'
import type { TaskLog } from './task-log.ts'

/** Tells a task's log how a copy goes. */
export class Progress {
  readonly #task: TaskLog
  /** Whether the last copy has set the tag. */
  tagged = false

  constructor(task: TaskLog) {
    this.#task = task
  }

  begin(): void {
    this.tagged = false
  }

  moved(bytes: number): void {
    this.#task.moved(bytes)
  }

  see(event: CopyProgress): void {
    if (event.kind === 'tag') this.tagged ||= event.step === 'done'
    else if (event.kind === 'manifest') this.#manifest(event)
    else this.#blob(event)
  }

  #manifest({ digest, step }: Extract<CopyProgress, { kind: 'manifest' }>): void {
    if (step !== 'present') this.#task.line(step === 'missing' ? 'WARNING' : 'INFO', `manifest ${digest}: ${step}`)
  }

  #blob({ digest, step, done, size }: Extract<CopyProgress, { kind: 'blob' }>): void {
    this.#task.left(digest, step === 'begin' || step === 'moving' ? size - done : 0)
    if (step === 'begin' && done > 0) this.#task.line('INFO', `blob ${digest}: going on at byte ${done} of ${size}`)
    else if (step === 'done' || step === 'mounted') this.#task.line('INFO', `blob ${digest}: ${step}, ${size} bytes`)
  }
}
