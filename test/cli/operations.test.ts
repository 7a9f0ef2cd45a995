import { join } from 'node:path'
import { expect, test } from 'vitest'
import { EXIT } from '../../cli/exit-codes.ts'
import { ADMIN_PASSWORD, freePort, startAtoll } from '../support/atoll.ts'
import { CLI, cli, environment, expectListed, here, json, startOriginForCli } from '../support/cli.ts'
import { pushImage, randomImage } from '../support/images.ts'
import { run } from '../support/run.ts'
import { until } from '../support/until.ts'

startOriginForCli()

test('a second edge, with its own data folder, is enrolled, serves pulls, and is revoked', async () => {
  expect((await cli('edge ls')).stderr).toContain('atoll edge token')
  const { token } = await json<{ token: string }>('edge token berlin --region eu')
  const data = join(here().home, 'edge-berlin')
  const port = await freePort()
  const env = { ATOLL_DATA_VOLUME: data, ATOLL_EDGE_PORT: String(port), ATOLL_EDGE_URL: `http://127.0.0.1:${port}` }
  const refused = await cli(`edge enroll --origin http://${here().atoll.origin} --token wrong`, { env, code: EXIT.denied })
  expect(refused.stderr).toContain('atoll edge token')
  await cli(`edge enroll --origin http://127.0.0.1:${await freePort()} --token ${token}`, { env, code: EXIT.unreachable })
  const enrolled = await json<{ name: string; region: string }>(`edge enroll --origin http://${here().atoll.origin} --token ${token}`, { env })
  expect(enrolled).toMatchObject({ name: 'berlin', region: 'eu' })

  await using edge = await startAtoll({
    role: 'edge',
    env: { ...env, ATOLL_EDGE_ORIGIN_URL: `http://${here().atoll.origin}` },
    ready: [`127.0.0.1:${port}`],
  })
  await pushImage(
    {
      url: new URL(`http://${here().atoll.origin}`),
      repository: 'library/app',
      headers: { authorization: `Basic ${Buffer.from(`admin:${ADMIN_PASSWORD}`).toString('base64')}` },
    },
    randomImage(),
    '1',
  )
  const authorization = `Basic ${Buffer.from(`admin:${ADMIN_PASSWORD}`).toString('base64')}`
  const tokens = `http://127.0.0.1:${port}/service/token?service=atoll&scope=repository:library/app:pull`
  const { token: bearer } = (await (await fetch(tokens, { headers: { authorization } })).json()) as { token: string }
  const pulled = await fetch(`http://127.0.0.1:${port}/v2/library/app/manifests/1`, { headers: { authorization: `Bearer ${bearer}` } })
  expect(pulled.status, await pulled.text()).toBe(200)
  await expectListed('edge ls', ['berlin'])
  expect((await cli('edge ls')).stdout).toMatch(/^berlin +eu/m)
  expect((await cli('edge show berlin')).stdout).toMatch(/^name +berlin\n(?:.*\n)*status +connected\n/)
  const ready = async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).status
  await cli('edge drain berlin')
  await until('the edge knows that it is drained', async () => (await ready()) === 503)
  expect((await cli('edge ls')).stdout).toContain('connected, drained')
  expect(await json('edge show berlin')).toMatchObject({ name: 'berlin', draining: true })
  await cli('edge undrain berlin')
  await until('the edge is back', async () => (await ready()) === 200)
  await cli('edge show paris', { code: EXIT.notFound })
  await cli('edge revoke berlin')
  expect(await json('edge ls')).toEqual([])
  await cli('edge revoke berlin', { code: EXIT.notFound })
  expect(edge.pid).toBeGreaterThan(0)
})

test('an edge that was revoked is enrolled again with a new token, by the command or at its start', { timeout: 120_000 }, async () => {
  const token = async () => (await json<{ token: string }>('edge token oslo --region eu')).token
  const port = await freePort()
  const env = { ATOLL_DATA_VOLUME: join(here().home, 'edge-oslo'), ATOLL_EDGE_PORT: String(port), ATOLL_EDGE_URL: `http://127.0.0.1:${port}` }
  const origin = `http://${here().atoll.origin}`
  const enroll = async (secret: string) => await json<{ id: string }>(`edge enroll --origin ${origin} --token ${secret}`, { env })
  const spent = await token()
  const first = await enroll(spent)
  expect((await enroll(spent)).id).toBe(first.id)

  await cli('edge revoke oslo')
  const refused = await cli(`edge enroll --origin ${origin} --token ${spent}`, { env, code: EXIT.denied })
  expect(refused.stderr).toMatch(/does not know the edge oslo any more.*`atoll edge token`/)
  const unused = await token()
  await cli(`edge enroll --origin http://127.0.0.1:${await freePort()} --token ${unused}`, { env, code: EXIT.unreachable })
  const second = await enroll(unused)
  expect(second.id).not.toBe(first.id)

  await cli('edge revoke oslo')
  await using edge = await startAtoll({
    role: 'edge',
    env: { ...env, ATOLL_EDGE_ORIGIN_URL: origin, ATOLL_EDGE_ENROLMENT_TOKEN: await token() },
    ready: [`127.0.0.1:${port}`],
  })
  const third = await json<{ id: string; status: string }>('edge show oslo')
  expect(third).toMatchObject({ status: 'connected' })
  expect([first.id, second.id]).not.toContain(third.id)
  expect(edge.pid).toBeGreaterThan(0)
})

test('signing keys are rotated and withdrawn', async () => {
  const [before] = await json<{ kid: string; signs: boolean }[]>('key ls')
  expect(before).toMatchObject({ signs: true })
  const rotated = await json<{ kid: string; signs: boolean }[]>('key rotate')
  const made = rotated.find(({ kid }) => kid !== before?.kid)
  // It is published for a while before it signs.
  expect(made).toMatchObject({ signs: false })
  expect((await cli('key ls')).stdout).toContain(made?.kid)
  await cli(`key withdraw ${before?.kid}`)
  expect(await json('key ls')).toMatchObject([{ kid: made?.kid, signs: true }])
  await cli(`key withdraw ${before?.kid}`, { code: EXIT.notFound })
})

test('garbage is collected by hand and by schedule', async () => {
  expect((await cli('gc ls')).stderr + (await cli('gc ls')).stdout).toContain('atoll gc run')
  expect((await cli('gc schedule')).stdout).toContain('not collected by itself')
  const dry = await cli('gc run --dry-run --wait')
  expect(dry.stdout).toMatch(/Collection \d+: Success: 0 manifests and \d+ blobs would go/)
  const { id } = await json<{ id: number }>('gc run --delete-untagged --wait')
  expect((await cli(`gc log ${id}`)).stdout).toContain('[INFO] Freed ')
  await expectListed('gc ls', [String(id)], 'id')
  await cli('gc log 4711', { code: EXIT.notFound })
  await cli('gc stop 4711', { code: EXIT.notFound })
  const schedule = (cron: string) => run(CLI, ['gc', 'schedule', cron], { cwd: here().home, env: environment() })
  expect(await schedule('0 0 3 * * *')).toMatchObject({ code: EXIT.ok, stdout: expect.stringContaining('0 0 3 * * * (UTC), next at ') })
  expect(await schedule('3 o’clock')).toMatchObject({ code: EXIT.failed, stderr: expect.stringContaining('six fields') })
  expect((await cli('gc schedule off')).stdout).toContain('not collected by itself')
})
