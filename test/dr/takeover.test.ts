import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { skopeo } from '../clients/tools/skopeo.ts'
import { atollJson } from '../replication/sites.ts'
import { imageLayout } from '../support/layout.ts'
import { Tenant, tokenAt } from '../support/tenant.ts'
import { inStep, pair, status, twoSites } from './pair.ts'

it('a standby takes over from a primary that was killed, with its users, robots, projects, images and audit log, and takes pushes', async () => {
  await using sites = await twoSites()
  const { primary, standby } = sites
  const tenant = new Tenant(primary)
  const layout = await imageLayout()
  const workdir = await mkdtemp(join(tmpdir(), 'atoll-dr-'))
  await using client = await skopeo.open(workdir)

  await tenant.project('team', { public: false })
  const before = await tenant.robot('ci', 'team')
  expect(await client.login(primary.origin, before.username, before.password)).toMatchObject({ code: 0 })
  expect(await client.push(layout, `${primary.origin}/team/app:before`)).toMatchObject({ code: 0 })

  await pair(primary, standby)
  await inStep(primary, standby)
  const alice = await tenant.user('alice', 'Alice12345')
  await tenant.call('POST', '/api/v2.0/projects/team/members', { role_id: 2, member_user: { username: 'alice' } })
  const after = await tenant.robot('cd', 'team')
  const endpoint = await tenant.endpoint({
    name: 'far',
    type: 'docker-registry',
    url: 'http://127.0.0.1:1',
    credential: { type: 'basic', access_key: 'me', access_secret: 'far-secret' },
  })
  expect(await client.pushIndex?.(layout, `${primary.origin}/team/app:since`)).toMatchObject({ code: 0 })
  await inStep(primary, standby)

  // A standby shows what it has, and takes nothing.
  expect(await client.login(standby.origin, before.username, before.password)).toMatchObject({ code: 0 })
  expect(await client.pull(`${standby.origin}/team/app:before`)).toMatchObject({ code: 0 })
  const refused = await client.push(layout, `${standby.origin}/team/app:refused`)
  expect(refused.stderr).toContain('is the standby of east and takes no changes')
  expect(refused.stderr).toContain(primary.origin)

  await primary.kill()
  const killed = Date.now()
  const promoted = await atollJson<{ epoch: number; handed_over: boolean; waited_seconds: number; lost_seconds: number }>(standby, 'dr', 'promote')
  expect(promoted).toMatchObject({ epoch: 2, handed_over: false })
  // That it could not reach the other was so while it followed.
  expect(await status(standby)).toMatchObject({ role: 'primary', problem: null })
  for (const { username, password } of [before, after, alice]) {
    expect(await client.login(standby.origin, username, password)).toMatchObject({ code: 0 })
    expect(await client.pull(`${standby.origin}/team/app:before`)).toMatchObject({ code: 0 })
    expect(await client.pullIndex?.(`${standby.origin}/team/app:since`)).toMatchObject({ code: 0 })
  }
  expect(await client.push(layout, `${standby.origin}/team/app:after`)).toMatchObject({ code: 0 })
  process.stdout.write(
    `RTO ${(Date.now() - killed) / 1000} s from the kill to the first push, of which the lease took ${promoted.waited_seconds} s; RPO ${promoted.lost_seconds} s at most\n`,
  )
  expect(await (await standby.api('GET', '/api/atoll/v1/audit/verification')).text()).not.toContain('fault":')
  expect(((await (await standby.api('GET', `/api/v2.0/registries/${endpoint}`)).json()) as { name: string }).name).toBe('far')

  // The old primary comes back: it has its standby's word no more, and learns why.
  await primary.restart()
  const late = await primary.api('POST', '/api/v2.0/projects', { project_name: 'late' })
  expect([403, 503]).toContain(late.status)
  await expect.poll(async () => (await status(primary)).role, { timeout: 20_000 }).toBe('fenced')
  const token = await tokenAt(standby.origin, 'repository:team/app:pull', after)
  expect(token).not.toBe('')
  await rm(workdir, { recursive: true, force: true })
}, 180_000)
