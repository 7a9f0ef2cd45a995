import { Cron } from 'croner'

/** A cron expression of six fields, seconds first, as Harbor writes them: `0 0 3 * * *`. Days and hours are UTC. */
export interface CronExpression {
  /** The first moment after `after`, both in milliseconds since the epoch; undefined: never again. */
  next(after: number): number | undefined
}

const LIMIT = 128

/** @throws SyntaxError that says what is wrong */
export function parseCron(text: string): CronExpression {
  if (text.length > LIMIT || text.trim().split(/\s+/).length !== 6) {
    throw new SyntaxError(
      'a cron expression has six fields: second, minute, hour, day of the month, month, day of the week; for instance "0 0 3 * * *"',
    )
  }
  const cron = readCron(text)
  return { next: (after) => cron.nextRun(new Date(after))?.getTime() }
}

function readCron(text: string): Cron {
  try {
    return new Cron(text, { timezone: 'UTC', paused: true })
  } catch (error) {
    throw new SyntaxError(error instanceof Error ? error.message.replace(/^CronPattern: /, '') : 'it cannot be read', { cause: error })
  }
}
