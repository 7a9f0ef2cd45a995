import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { EXIT } from '../../cli/exit-codes.ts'
import { ADMIN_PASSWORD, type AtollProcess, startAtoll } from '../support/atoll.ts'
import { pushImage, randomImage } from '../support/images.ts'
import { until } from '../support/until.ts'

let atoll: AtollProcess
let folder: string

beforeAll(async () => {
  atoll = await startAtoll()
  folder = await mkdtemp(join(tmpdir(), 'atoll-audit-'))
}, 60_000)
afterAll(async () => {
  await atoll?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

/** Its answer, if it ends with `code`. */
async function cli(code: number, ...args: string[]): Promise<string> {
  const outcome = await atoll.cli(...args)
  expect({ args, code: outcome.code, said: outcome.code === code ? '' : `${outcome.stdout}${outcome.stderr}` }).toEqual({ args, code, said: '' })
  return code === EXIT.ok ? outcome.stdout : outcome.stderr
}

interface Entry {
  readonly operation: string
  readonly resource: string
  readonly username: string
  readonly count: number
}

async function entries(...args: string[]): Promise<Entry[]> {
  const text = await cli(EXIT.ok, 'audit', 'export', ...args)
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Entry)
}

test('a push and each pull, at the origin and at an edge, are told once, and the log verifies', { timeout: 60_000 }, async () => {
  const image = randomImage()
  const headers = { authorization: `Basic ${Buffer.from(`admin:${ADMIN_PASSWORD}`).toString('base64')}` }
  await pushImage({ url: new URL(`http://${atoll.origin}`), repository: 'library/app', headers }, image, '1.0.0')
  expect(await entries('--project', 'library', '--type', 'artifact')).toMatchObject([
    { operation: 'create', resource: 'library/app:1.0.0', username: 'admin' },
  ])
  const { head } = JSON.parse(await cli(EXIT.ok, 'audit', 'verify', '--json')) as { head: string }

  const token = (await (await fetch(`http://${atoll.origin}/service/token?scope=repository:library/app:pull`, { headers })).json()) as {
    token: string
  }
  for (const host of [atoll.origin, atoll.origin, atoll.edge]) {
    const answer = await fetch(`http://${host}/v2/library/app/manifests/1.0.0`, { headers: { authorization: `Bearer ${token.token}` } })
    expect(answer.status).toBe(200)
    await answer.arrayBuffer()
  }
  const pulls = async () => (await entries('--operation', 'pull')).filter(({ resource }) => resource === 'library/app:1.0.0')
  await until('each of three pulls is told', async () => (await pulls()).reduce((sum, { count }) => sum + count, 0) === 3)
  expect((await pulls()).map(({ username }) => username)).toEqual(['admin', 'admin', 'admin'])

  expect(await cli(EXIT.ok, 'audit', 'verify', '--head', head)).toMatch(/entries are as they were written/)
  expect(
    await cli(
      EXIT.failed,
      'audit',
      'verify',
      '--head',
      head.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
    ),
  ).toMatch(/is not what was written/)
  await cli(EXIT.failed, 'audit', 'verify', '--head', 'nonsense')

  const file = join(folder, 'all.csv')
  await cli(EXIT.ok, 'audit', 'export', '--format', 'csv', '-o', file)
  const [title, first] = (await readFile(file, 'utf8')).split('\r\n')
  expect(title).toMatch(/^id,time,username,/)
  expect(first?.split(',').length).toBeGreaterThan(10)
})
