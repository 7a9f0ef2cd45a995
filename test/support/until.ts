const POLL_MS = 50

/** Waits for something outside this process that gives no event of its own to become true. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, deadlineMs = 30_000): Promise<void> {
  const end = Date.now() + deadlineMs
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`still waiting after ${deadlineMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}
