/** Time, from outside: whoever starts a process gives the system's, a test gives its own. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Milliseconds since some moment, which nobody who sets the time moves. Absent: `now` is not set by anybody either. */
  monotonic?(): number
  /** Calls `run` once after so many milliseconds. What it returns calls that off. */
  after(ms: number, run: () => void): () => void
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
}

/** What time has passed is measured by: setting the clock makes no wait longer or shorter. Says nothing about the time of day. */
export function steady(clock: Pick<Clock, 'now' | 'monotonic'>): number {
  return clock.monotonic?.() ?? clock.now()
}

/** Resolves after so many milliseconds of `clock`. @throws the signal's reason, as soon as it is aborted */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const stop = clock.after(ms, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    const onAbort = () => {
      stop()
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

/** Does the work again and again, so many milliseconds of `clock` after it ended, until the signal. @throws what the work throws before that */
export async function every(clock: Clock, ms: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await pause(clock, ms, signal).catch(() => undefined)
    if (signal.aborted) return
    await work()
  }
}

/** What the promise gives, or `late` after so many milliseconds of `clock`; the promise goes on. @throws what it throws in time */
export async function inTime<T>(clock: Clock, ms: number, promise: Promise<T>): Promise<T | 'late'> {
  const late = Promise.withResolvers<'late'>()
  const stop = clock.after(ms, () => late.resolve('late'))
  try {
    return await Promise.race([promise, late.promise])
  } finally {
    stop()
  }
}
