import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../../support/atoll.ts'
import { Tenant } from '../../support/tenant.ts'
import { ask, type Seen } from './ask.ts'
import { generate, scaled, TENANT } from './generate.ts'
import { pusher } from './pusher.ts'
import { type Question, questionsOf } from './questions.ts'

/** What each list and search is meant to stay under, in milliseconds. */
const AIM_MS = 50
/** Each question is asked in so many words, and in each of them so often. */
const WORDS = 20
const TIMES = 5
const PASSWORDS = { admin: ADMIN_PASSWORD, tenant: 'Harbour12345' }

/**
 * Every list and search that people use, over HTTP, of an origin that has grown: by itself, and while somebody pushes. By environment:
 * ATOLL_BENCH_SCALE (1: all of it), ATOLL_BENCH_DATA (a folder that is filled once and asked again), ATOLL_BENCH_ONLY (a part of a question's name).
 */
export async function growth(): Promise<void> {
  const amounts = scaled(Number(process.env.ATOLL_BENCH_SCALE ?? 1))
  const { ATOLL_BENCH_DATA: kept, ATOLL_BENCH_ONLY: only = '' } = process.env
  await using atoll = await startAtoll({ role: 'origin', env: { ATOLL_LOG_LEVEL: 'error', ...(kept !== undefined && { ATOLL_DATA_VOLUME: kept }) } })
  const folder = kept ?? join(atoll.data, 'data')
  const mark = join(folder, 'filled')
  if ((await stat(mark).catch(() => undefined)) === undefined) {
    await atoll.stop()
    const from = performance.now()
    await generate(`file:${join(folder, 'atoll.db')}`, amounts, (line) =>
      process.stderr.write(`${((performance.now() - from) / 1000).toFixed(0)} s: ${line}\n`),
    )
    await writeFile(mark, '')
    await atoll.restart()
  }
  await new Tenant(atoll).call('PUT', `/api/v2.0/users/${TENANT.id}/password`, { new_password: PASSWORDS.tenant }).catch(() => undefined)
  const rows: [Question, Seen, Seen][] = []
  const push = await pusher(atoll)
  for (const question of questionsOf(amounts)) {
    if (!question.what.includes(only)) continue
    const asked = () => ask(atoll.pid, (n) => `http://${atoll.origin}${question.path(n % WORDS)}`, headersOf(question), WORDS * TIMES)
    const quiet = await asked()
    rows.push([question, quiet, await push.beside(asked)])
  }
  print(atoll, rows)
}

function headersOf({ as }: Question): Readonly<Record<string, string>> {
  if (as === 'anonymous') return {}
  const [username, password] = as === 'tenant' ? [TENANT.username, PASSWORDS.tenant] : ['admin', PASSWORDS.admin]
  return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` }
}

function print(_atoll: AtollProcess, rows: readonly (readonly [Question, Seen, Seen])[]): void {
  const ms = (value: number) => value.toFixed(value < 10 ? 1 : 0)
  const lines = rows.map(([{ what, as }, quiet, busy]) => {
    const late = Math.max(quiet.p95, busy.p95) >= AIM_MS ? ' **' : ''
    return `| ${what}${as === undefined ? '' : ` (${as})`} | ${quiet.total} | ${ms(quiet.p50)} | ${ms(quiet.p95)} | ${ms(quiet.worst)} | ${ms(quiet.cpu)} | ${ms(busy.p50)} | ${ms(busy.p95)} | ${ms(busy.worst)}${late} |`
  })
  process.stdout.write(
    `\n## Growth: milliseconds, aim < ${AIM_MS} at p95\n\n| what | rows | p50 | p95 | worst | CPU | p50 beside pushes | p95 beside pushes | worst beside pushes |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n${lines.join('\n')}\n`,
  )
}
