import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { EXIT } from '../../cli/exit-codes.ts'
import { ADMIN_PASSWORD, freePort } from '../support/atoll.ts'
import { CLI, cli, expectListed, here, json, startOriginForCli, v2 } from '../support/cli.ts'
import { pushImage, randomImage } from '../support/images.ts'
import { run } from '../support/run.ts'

startOriginForCli()

test('login takes the password from standard input, keeps it where only its owner can read it, and logout forgets it', async () => {
  const nobody = { HOME: here().home, PATH: process.env.PATH ?? '' }
  const bare = (args: readonly string[], input = '') => run(CLI, args, { cwd: here().home, env: nobody, input })
  expect((await bare(['login', here().atoll.origin, '--username', 'admin', '--password-stdin'], 'wrong\n')).code).toBe(EXIT.denied)
  const logged = await bare(['login', here().atoll.origin, '--username', 'admin', '--password-stdin'], `${ADMIN_PASSWORD}\n`)
  expect(logged.code, logged.stderr).toBe(EXIT.ok)
  const file = join(here().home, '.config', 'atoll', 'session.json')
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect(logged.stdout + logged.stderr).not.toContain(ADMIN_PASSWORD)
  expect((await bare(['project', 'ls'])).stdout).toContain('library')
  const elsewhere = await bare(['--server', `http://127.0.0.1:${await freePort()}`, 'user', 'ls'])
  expect(elsewhere.code).toBe(EXIT.unreachable)
  expect((await bare(['logout'])).code).toBe(EXIT.ok)
  await expect(stat(file)).rejects.toMatchObject({ code: 'ENOENT' })
  const anonymous = await bare(['--server', here().atoll.origin, 'user', 'ls'])
  expect(anonymous.code).toBe(EXIT.denied)
  expect(anonymous.stderr).toContain('atoll login')
  const noTerminal = await bare(['login', here().atoll.origin])
  expect(noTerminal.code).toBe(EXIT.usage)
  expect(noTerminal.stderr).toContain('--password-stdin')
})

test('projects and their members', async () => {
  await cli('project create team --storage-limit 10GiB')
  await cli('project create open --public')
  await cli('project create team', { code: EXIT.conflict })
  await cli('project create Team', { code: EXIT.failed })
  await cli('project create other --storage-limit lots', { code: EXIT.usage })
  await expectListed('project ls', ['team', 'open', 'library'])
  expect(await json<{ name: string }[]>('project ls --name tea')).toMatchObject([{ name: 'team' }])
  expect((await cli('project show team')).stdout).toMatch(/^team: private, 0 repositories, 0 B of 10 GiB used, owner admin$/m)
  expect(await json('project show open')).toMatchObject({ name: 'open', metadata: { public: 'true' } })
  await cli('project show none', { code: EXIT.notFound })

  await cli('user create ana --email ana@example.com --new-password-stdin', { input: 'Passw0rd-ana\n' })
  await cli('project member add team ana')
  await cli('project member add team ana', { code: EXIT.conflict })
  await expectListed('project member ls team', ['admin', 'ana'], 'entity_name')
  await cli('project member set team ana --role guest')
  expect((await cli('project member ls team')).stdout).toMatch(/^ana +user +guest$/m)
  await cli('project member set team ana --role emperor', { code: EXIT.usage })
  const asAna = { env: { ATOLL_USERNAME: 'ana', ATOLL_PASSWORD: 'Passw0rd-ana' } }
  const seen = (await json<{ name: string }[]>('project ls', asAna)).map(({ name }) => name)
  expect(seen).toEqual(expect.arrayContaining(['library', 'open', 'team']))
  await cli('project rm open', { ...asAna, code: EXIT.denied })
  await cli('project member rm team ana')
  await cli('project member rm team ana', { code: EXIT.notFound })

  await cli('project rm open')
  await cli('project show open', { code: EXIT.notFound })
})

test('users', async () => {
  await expectListed('user ls', ['ana'], 'username')
  await cli('user create bo --email bo@example.com --realname Bo --admin --new-password-stdin', { input: 'Passw0rd-bo\n' })
  await cli('user create bo --email bo2@example.com --new-password-stdin', { input: 'Passw0rd-bo\n', code: EXIT.conflict })
  const weak = await cli('user create cy --email cy@example.com --new-password-stdin', { input: 'weak\n', code: EXIT.failed })
  expect(weak.stderr).toMatch(/password/i)
  await cli('user create cy', { code: EXIT.usage })
  expect((await cli('user ls')).stdout).toMatch(/^bo +Bo +bo@example.com +yes$/m)
  await cli('user admin bo --off')
  expect((await cli('user ls')).stdout).toMatch(/^bo +Bo +bo@example.com +no$/m)
  await cli('user passwd bo --new-password-stdin', { input: 'Passw0rd-bo-2\n' })
  await cli('project ls', { env: { ATOLL_USERNAME: 'bo', ATOLL_PASSWORD: 'Passw0rd-bo' }, code: EXIT.denied })
  await cli('project ls', { env: { ATOLL_USERNAME: 'bo', ATOLL_PASSWORD: 'Passw0rd-bo-2' } })
  await cli('user rm bo')
  await cli('user rm bo', { code: EXIT.notFound })
})

test('robots: the secret works with the registry, a disabled or old one is refused', async () => {
  expect((await cli('robot ls --project team')).stderr).toContain('atoll robot create')
  const made = await cli('robot create ci --project team --allow push')
  const [name = '', secret = ''] = made.stdout.trim().split('\n')
  expect(name).toBe('robot$team+ci')
  expect(made.stderr).toContain('not shown again')
  const authorization = `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}`
  await pushImage({ url: new URL(`http://${here().atoll.origin}`), repository: 'team/app', headers: { authorization } }, randomImage(), '1')
  expect((await v2('team/app/manifests/1', name, secret)).status).toBe(200)
  expect((await v2('other/app/manifests/1', name, secret)).status).not.toBe(200)

  await expectListed('robot ls --project team', [name])
  await cli(`robot disable ${name}`)
  expect((await v2('team/app/manifests/1', name, secret)).status).toBe(401)
  expect((await cli('robot ls --project team')).stdout).toMatch(/^robot\$team\+ci +- +no/m)
  await cli('robot enable team+ci')
  expect((await v2('team/app/manifests/1', name, secret)).status).toBe(200)
  const { secret: fresh } = await json<{ secret: string }>('robot refresh team+ci')
  expect((await v2('team/app/manifests/1', name, secret)).status).toBe(401)
  expect((await v2('team/app/manifests/1', name, fresh)).status).toBe(200)
  await cli('robot create ci --project team', { code: EXIT.conflict })
  await cli('robot create x --project nowhere', { code: EXIT.notFound })
  await cli('robot create x --project team --allow nonsense', { code: EXIT.usage })
  await cli('robot rm team+ci')
  await cli('robot rm team+ci', { code: EXIT.notFound })
  expect((await v2('team/app/manifests/1', name, fresh)).status).toBe(401)
  await cli('project rm team', { code: EXIT.conflict })
})

test('passwords are in no log of the origin', async () => {
  const log = await readFile(join(here().atoll.data, 'process.log'), 'utf8')
  expect(log).not.toContain('Passw0rd-ana')
})
