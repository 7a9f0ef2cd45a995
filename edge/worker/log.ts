import type { Log } from '../../registry/log.ts'

/** A Worker's log is its console: a line of JSON for each event, as `wrangler tail` and Logpush take it. */
export function workerLog(): Log {
  const write = (level: string) => (fields: object, message: string) => {
    // biome-ignore lint/suspicious/noConsole: a Worker has no other log.
    console.log(JSON.stringify({ level, message, ...readable(fields) }))
  }
  return { debug: () => {}, info: write('info'), warn: write('warn'), error: write('error') }
}

function readable(fields: object): object {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, value instanceof Error ? `${value.name}: ${value.message}` : value]))
}
