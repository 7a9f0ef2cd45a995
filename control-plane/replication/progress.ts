import type { CopyProgress } from '../../registry/copy/options.ts'
import type { TaskLog } from './task-log.ts'

/** Tells a task's log how a copy goes, and knows which step it is at. */
export class Progress {
  readonly #task: TaskLog
  readonly #at = new Map<string, number>()
  step = 'reading the manifest'
  /** Whether the last copy has set the tag. */
  tagged = false

  constructor(task: TaskLog) {
    this.#task = task
  }

  begin(): void {
    this.step = 'reading the manifest'
    this.tagged = false
  }

  see(event: CopyProgress): void {
    if (event.kind === 'tag') this.tagged ||= event.step === 'done'
    else if (event.kind === 'manifest') this.#manifest(event)
    else this.#blob(event)
  }

  #manifest({ digest, step }: Extract<CopyProgress, { kind: 'manifest' }>): void {
    this.step = `after the manifest ${digest}`
    if (step !== 'present') this.#task.line(step === 'missing' ? 'WARNING' : 'INFO', `manifest ${digest}: ${step}`)
  }

  #blob({ digest, step, done, size }: Extract<CopyProgress, { kind: 'blob' }>): void {
    this.step = step === 'begin' || step === 'moving' ? `moving the blob ${digest}` : `after the blob ${digest}`
    const before = this.#at.get(digest)
    if (before === undefined) this.#task.bytes({ total: size })
    if (done > (before ?? 0)) this.#task.bytes({ done: done - (before ?? 0) })
    this.#at.set(digest, Math.max(done, before ?? 0))
    if (step === 'begin' && done > 0) this.#task.line('INFO', `blob ${digest}: going on at byte ${done} of ${size}`)
    else if (step === 'done' || step === 'mounted') this.#task.line('INFO', `blob ${digest}: ${step}, ${size} bytes`)
  }
}
