import { expect, test } from 'vitest'
import { EXIT } from '../../cli/exit-codes.ts'
import { freePort } from '../support/atoll.ts'
import { cli, expectListed, json, startOriginForCli } from '../support/cli.ts'

startOriginForCli()

test('endpoints, rules and executions, from nothing to their end', async () => {
  for (const [list, next] of [
    ['replicate endpoint ls', 'replicate endpoint add'],
    ['replicate rule ls', 'replicate rule create'],
    ['replicate ls', 'replicate run'],
  ]) {
    if (list !== 'replicate endpoint ls') expect((await cli(`${list}`)).stderr).toContain(next)
    expect(await json(`${list}`)).toBeInstanceOf(Array)
  }
  const nobody = `http://127.0.0.1:${await freePort()}`
  const added = await cli(`replicate endpoint add away ${nobody} --login admin`, { input: 'secret-word\n' })
  expect(added.stderr).toMatch(/does not work yet: connection: /)
  expect(added.stdout + added.stderr).not.toContain('secret-word')
  await cli(`replicate endpoint add away ${nobody}`, { code: EXIT.conflict })
  await cli('replicate endpoint ping away', { code: EXIT.failed })
  await cli('replicate endpoint ping none', { code: EXIT.notFound })
  await expectListed('replicate endpoint ls', ['away'])

  await cli('replicate rule create r', { code: EXIT.usage })
  await cli('replicate rule create r --push-to away --pull-from away', { code: EXIT.usage })
  await cli('replicate rule create r --pull-from away --on-push', { code: EXIT.usage })
  await cli('replicate rule create r --push-to away --repository team/** --tag v*')
  await cli('replicate rule create r --push-to away', { code: EXIT.conflict })
  await expectListed('replicate rule ls', ['r'])
  await cli('replicate endpoint rm away', { code: EXIT.conflict })

  const idle = await cli('replicate run r --wait')
  expect(idle.stdout).toMatch(/Execution \d+: Succeed/)
  await cli('replicate run none', { code: EXIT.notFound })
  const [execution] = await json<{ id: number; rule: string; status: string }[]>('replicate ls --rule r')
  expect(execution).toMatchObject({ rule: 'r', status: 'Succeed' })
  expect((await cli('replicate ls')).stdout).toMatch(/^\d+ +r +Succeed +manual +0\/0 +0 +0 B/m)
  expect(await json(`replicate logs ${execution?.id}`)).toEqual([])
  await cli(`replicate stop ${execution?.id}`)
  await cli('replicate logs 4711', { code: EXIT.notFound })
  await cli('replicate rule rm r')
  await cli('replicate rule rm r', { code: EXIT.notFound })
  await cli('replicate endpoint rm away')
})

test('what a rule lets through is said at its making, changed piece by piece and taken away', async () => {
  await cli('replicate endpoint add there http://127.0.0.1:1')
  await cli('replicate rule create picky --push-to there --tag v* --exclude-tag *-rc --label released --kind image --speed 1MiB')
  await cli('replicate rule set picky', { code: EXIT.usage })
  await cli('replicate rule set none --disable', { code: EXIT.notFound })
  await cli('replicate rule set picky --manual --on-push', { code: EXIT.usage })
  await cli('replicate rule set picky --kind sbom', { code: EXIT.usage })
  await cli('replicate rule set picky --tag semver:nonsense', { code: EXIT.failed })
  const tag = { type: 'tag', value: 'v*', decoration: 'matches' }
  const rest = [
    { type: 'tag', value: '*-rc', decoration: 'excludes' },
    { type: 'label', value: ['released'] },
    { type: 'resource', value: 'image' },
  ]
  expect(await json('replicate rule set picky --disable')).toMatchObject({
    enabled: false,
    override: true,
    speed: 1024,
    trigger: { type: 'manual' },
    filters: [tag, ...rest],
  })
  expect(await json('replicate rule set picky --enable --tag v2* --on-push --speed 0')).toMatchObject({
    enabled: true,
    override: true,
    speed: 0,
    trigger: { type: 'event_based' },
    filters: expect.arrayContaining([...rest, { ...tag, value: 'v2*' }]),
    dest_registry: { name: 'there' },
  })
  expect(await json('replicate rule set picky --tag= --label=')).toMatchObject({ filters: [rest[0], rest[2]] })
  await cli('replicate rule rm picky')
  await cli('replicate endpoint rm there')
})

test('how much an endpoint is used is said at its making, changed and shown', async () => {
  await cli('replicate endpoint add far http://127.0.0.1:1 --jobs-at-once 3')
  await cli('replicate endpoint set far', { code: EXIT.usage })
  expect(await json('replicate endpoint set far --speed 20MiB')).toMatchObject({ jobs_at_once: 3, speed: 20 * 1024 })
  expect((await cli('replicate endpoint ls')).stdout).toMatch(/^far +harbor +\S+ +3 +20 MiB\/s/m)
  expect(await json('replicate endpoint set far --speed 0')).toMatchObject({ jobs_at_once: 3, speed: 0 })
  await cli('replicate endpoint rm far')
})
