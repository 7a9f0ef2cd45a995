import { randomInt } from 'node:crypto'

/** What the random run is to do. */
export interface ChaosSettings {
  readonly seed: number
  readonly seconds: number
}

/** `ATOLL_CHAOS_SEED`: run this one again; else any. `ATOLL_CHAOS_SECONDS`: how long faults go on, else as long as is given. */
export function chaosSettings(
  { seconds }: Pick<ChaosSettings, 'seconds'>,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): ChaosSettings {
  return {
    seed: number(environment, 'ATOLL_CHAOS_SEED') ?? randomInt(2 ** 32),
    seconds: number(environment, 'ATOLL_CHAOS_SECONDS') ?? seconds,
  }
}

function number(environment: Readonly<Record<string, string | undefined>>, name: string): number | undefined {
  const text = environment[name]
  if (text === undefined || text === '') return undefined
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${name} is ${text} and should be a whole number from 0`)
  return value
}
